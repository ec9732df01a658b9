namespace Fluster.Actors;

/// <summary>Names of types as a person would write them. Says what <c>TypeNames.ForPeople</c> of the generator says of the same type.</summary>
internal static class CSharpNames
{
    private static readonly Dictionary<Type, string> s_keywords = new()
    {
        [typeof(void)] = "void",
        [typeof(object)] = "object",
        [typeof(bool)] = "bool",
        [typeof(char)] = "char",
        [typeof(sbyte)] = "sbyte",
        [typeof(byte)] = "byte",
        [typeof(short)] = "short",
        [typeof(ushort)] = "ushort",
        [typeof(int)] = "int",
        [typeof(uint)] = "uint",
        [typeof(long)] = "long",
        [typeof(ulong)] = "ulong",
        [typeof(decimal)] = "decimal",
        [typeof(float)] = "float",
        [typeof(double)] = "double",
        [typeof(string)] = "string",
        [typeof(nint)] = "nint",
        [typeof(nuint)] = "nuint",
    };

    public static string Of(Type type)
    {
        if (s_keywords.TryGetValue(type, out var keyword))
        {
            return keyword;
        }

        if (type.IsArray)
        {
            return $"{Of(type.GetElementType()!)}[{new string(',', type.GetArrayRank() - 1)}]";
        }

        if (Nullable.GetUnderlyingType(type) is { } value)
        {
            return $"{Of(value)}?";
        }

        // Of a nested type's arguments the last ones are its own.
        var end = type.Name.IndexOf('`', StringComparison.Ordinal);
        if (end < 0)
        {
            return type.Name;
        }

        var arguments = type.GetGenericArguments()[^int.Parse(type.Name.AsSpan(end + 1))..];
        return IsTuple(type) ? $"({string.Join(", ", Elements(type).Select(Of))})" : $"{type.Name[..end]}<{string.Join(", ", arguments.Select(Of))}>";
    }

    private static bool IsTuple(Type type) => type.FullName!.StartsWith("System.ValueTuple`", StringComparison.Ordinal) && type.GetGenericArguments() is { Length: > 1 };

    // What does not fit into seven is in a tuple at the end.
    private static Type[] Elements(Type tuple) =>
        tuple.GetGenericArguments() is [.. { Length: 7 } first, var rest] ? [.. first, .. Elements(rest)] : tuple.GetGenericArguments();
}
