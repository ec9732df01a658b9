namespace Fluster.Cluster;

/// <summary>Names of types as people write them.</summary>
internal static class TypeNames
{
    /// <summary><c>System.Collections.Generic.List&lt;System.Int32&gt;</c>, without assemblies.</summary>
    public static string Of(Type type)
    {
        if (type.HasElementType)
        {
            return Of(type.GetElementType()!) + (type.IsArray ? $"[{new string(',', type.GetArrayRank() - 1)}]" : type.IsPointer ? "*" : "&");
        }

        var name = (type.FullName ?? type.Name).Replace('+', '.');
        if (!type.IsGenericType)
        {
            return name;
        }

        var end = name.IndexOf('`', StringComparison.Ordinal);
        return end < 0 ? name : $"{name[..end]}<{string.Join(", ", type.GetGenericArguments().Select(Of))}>";
    }
}
