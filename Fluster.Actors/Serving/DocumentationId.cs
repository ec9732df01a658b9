using System.Reflection;

namespace Fluster.Actors;

/// <summary>The name of a method in the compiler's documentation file: <c>M:Shop.Calculator.Add(System.Int32,System.Int32)</c>.</summary>
internal static class DocumentationId
{
    public static string Of(MethodInfo method)
    {
        // Documentation is that of the definition, whatever its type parameters are here.
        var defined = method.DeclaringType is { IsConstructedGenericType: true } constructed
            ? (MethodInfo)method.Module.ResolveMethod(method.MetadataToken, constructed.GetGenericTypeDefinition().GetGenericArguments(), null)!
            : method;
        var parameters = defined.GetParameters();
        return $"M:{Of(defined.DeclaringType!)}.{defined.Name}{(parameters.Length == 0 ? "" : $"({string.Join(',', parameters.Select(parameter => Of(parameter.ParameterType)))})")}";
    }

    private static string Of(Type type)
    {
        if (type.IsGenericParameter)
        {
            return $"`{type.GenericParameterPosition}"; // of the class: generic methods are not callable
        }

        if (type.IsArray)
        {
            var bounds = type.GetArrayRank() == 1 ? "" : string.Join(',', Enumerable.Repeat("0:", type.GetArrayRank()));
            return $"{Of(type.GetElementType()!)}[{bounds}]";
        }

        if (!type.IsConstructedGenericType)
        {
            return type.FullName!.Replace('+', '.');
        }

        // Each of the types that it is nested in has its own arguments behind it.
        var arguments = type.GetGenericArguments();
        var used = 0;
        return string.Join('.', type.GetGenericTypeDefinition().FullName!.Split('+').Select(part =>
        {
            var tick = part.IndexOf('`', StringComparison.Ordinal);
            if (tick < 0)
            {
                return part;
            }

            var own = arguments.Skip(used).Take(int.Parse(part[(tick + 1)..], System.Globalization.CultureInfo.InvariantCulture)).ToList();
            used += own.Count;
            return $"{part[..tick]}{{{string.Join(',', own.Select(Of))}}}";
        }));
    }
}
