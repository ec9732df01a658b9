using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Fluster.Tests;

/// <summary>Writes down the public members of an assembly, one per line, with everything that a caller can depend on.</summary>
internal static class PublicSurface
{
    private const BindingFlags Everything =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly NullabilityInfoContext s_nullability = new();

    public static IEnumerable<string> Of(Assembly assembly) => assembly.GetExportedTypes().SelectMany(Of).Order(StringComparer.Ordinal);

    private static IEnumerable<string> Of(Type type)
    {
        var owner = Name(type);
        var bases = type.GetInterfaces().Where(candidate => candidate.IsPublic && candidate.Namespace!.StartsWith("Aspire", StringComparison.Ordinal)).Select(Name).Order(StringComparer.Ordinal).ToList();
        yield return $"{type.Namespace} {Kind(type)} {owner}{Constraints(type.GetGenericArguments())}{(bases.Count > 0 ? " : " : "")}{string.Join(", ", bases)}";
        foreach (var member in type.GetMembers(Everything).Where(IsVisible).Where(IsWritten))
        {
            yield return $"{type.Namespace} {owner}.{Describe(member)}";
        }
    }

    private static string Kind(Type type) =>
        type.IsInterface ? "interface"
        : type.IsEnum ? "enum"
        : type.IsValueType ? "struct"
        : type is { IsAbstract: true, IsSealed: true } ? "static class"
        : type.IsAbstract ? "abstract class"
        : type.IsSealed ? "sealed class"
        : "class";

    private static bool IsVisible(MemberInfo member) => member switch
    {
        MethodBase method => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly,
        PropertyInfo property => property.GetAccessors(nonPublic: true).Any(accessor => accessor.IsPublic || accessor.IsFamily),
        FieldInfo field => field.IsPublic && !field.IsSpecialName,
        _ => false,
    };

    // Leaves out what the compiler makes of records, properties and enums.
    private static bool IsWritten(MemberInfo member) => !member.IsDefined(typeof(CompilerGeneratedAttribute))
        && member is not MethodInfo { IsSpecialName: true, Name: not "op_Implicit" }
        && member is not MethodInfo { Name: "ToString" or "Equals" or "GetHashCode" }
        && !member.Name.Contains('<', StringComparison.Ordinal);

    private static string Describe(MemberInfo member) => member switch
    {
        ConstructorInfo constructor => $"({Parameters(constructor)})",
        MethodInfo method => $"{Modifiers(method)}{Name(method.ReturnParameter)} {method.Name}{Generic(method)}({Parameters(method)}){Constraints(method.GetGenericArguments())}",
        PropertyInfo property => $"{Modifiers(property.GetMethod!)}{Name(s_nullability.Create(property), property.PropertyType)} {property.Name} {{ {Accessors(property)}}}",
        FieldInfo { IsLiteral: true } field => $"{field.Name} = {Convert.ToInt64(field.GetRawConstantValue(), CultureInfo.InvariantCulture)}",
        FieldInfo field => $"static {Name(s_nullability.Create(field), field.FieldType)} {field.Name}",
        _ => member.Name,
    };

    private static string Modifiers(MethodInfo method) => method.IsStatic ? "static " : method is { IsVirtual: true, IsFinal: false, DeclaringType.IsInterface: false } ? method.IsAbstract ? "abstract " : "virtual " : "";

    private static string Accessors(PropertyInfo property)
    {
        var text = property.GetMethod is { IsPublic: true } ? "get; " : "";
        return property.SetMethod is { IsPublic: true } set
            ? text + (set.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)) ? "init; " : "set; ")
            : text;
    }

    private static string Parameters(MethodBase method)
    {
        var first = method.IsDefined(typeof(ExtensionAttribute)) ? "this " : "";
        return first + string.Join(", ", method.GetParameters().Select(parameter =>
            (parameter.IsOut ? "out " : parameter.IsIn ? "in " : "") +
            (parameter.IsDefined(typeof(ParamArrayAttribute)) ? "params " : "") +
            $"{Name(parameter)} {parameter.Name}" +
            (parameter.HasDefaultValue ? $" = {Default(parameter)}" : "")));
    }

    private static string Default(ParameterInfo parameter) => parameter.DefaultValue switch
    {
        null when parameter.ParameterType.IsValueType && Nullable.GetUnderlyingType(parameter.ParameterType) is null => "default",
        null => "null",
        bool flag => flag ? "true" : "false",
        string text => $"\"{text}\"",
        var value => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static string Generic(MethodInfo method) =>
        method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(argument => argument.Name))}>" : "";

    private static string Constraints(Type[] arguments) => string.Concat(arguments.Where(argument => argument.IsGenericParameter).Select(argument =>
    {
        var constraints = argument.GetGenericParameterConstraints().Select(Name).Order(StringComparer.Ordinal).ToList();
        if (argument.GenericParameterAttributes.HasFlag(GenericParameterAttributes.ReferenceTypeConstraint))
        {
            constraints.Insert(0, "class");
        }

        if (argument.GenericParameterAttributes.HasFlag(GenericParameterAttributes.DefaultConstructorConstraint))
        {
            constraints.Add("new()");
        }

        return constraints.Count > 0 ? $" where {argument.Name} : {string.Join(", ", constraints)}" : "";
    }));

    private static string Name(ParameterInfo parameter) =>
        Name(s_nullability.Create(parameter), parameter.ParameterType.IsByRef ? parameter.ParameterType.GetElementType()! : parameter.ParameterType);

    private static string Name(NullabilityInfo nullability, Type type)
    {
        var name = Name(type);
        return nullability.ReadState == NullabilityState.Nullable && !type.IsValueType && !type.IsGenericParameter ? name + "?" : name;
    }

    private static string Name(Type type)
    {
        if (Nullable.GetUnderlyingType(type) is { } underlying)
        {
            return Name(underlying) + "?";
        }

        if (type.IsArray)
        {
            return Name(type.GetElementType()!) + "[]";
        }

        var name = type.Name.Split('`')[0];
        var outer = type is { IsNested: true, IsGenericParameter: false } ? Name(type.DeclaringType!) + "." : "";
        var arguments = type.IsGenericType ? type.GetGenericArguments() : [];
        return outer + (arguments.Length > 0 ? $"{name}<{string.Join(", ", arguments.Select(Name))}>" : name);
    }
}
