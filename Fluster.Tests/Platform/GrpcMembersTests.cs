using System.Reflection;
using System.Text.RegularExpressions;
using Grpc.Core;
using Grpc.Net.Compression;

namespace Fluster.Tests;

/// <summary>
/// The published server and client were compiled against other assemblies than ours. The list has every type, method and
/// field that they, or generated code, touch in those; each must exist here with the same signature.
/// </summary>
public partial class GrpcMembersTests
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly Assembly[] s_ours = [typeof(Status).Assembly, typeof(ICompressionProvider).Assembly];

    public static TheoryData<Assembly> Ours => new(s_ours);

    [Fact]
    public void Members_AllThatPublishedCodeTouches_ExistWithTheSameSignature()
    {
        var listed = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "Platform", "grpc-members.txt"))
            .Where(line => MemberLine().IsMatch(line))
            .Select(line => line.Replace("<..>", "", StringComparison.Ordinal).TrimEnd())
            .ToArray();
        var present = s_ours.SelectMany(assembly => assembly.GetExportedTypes().Concat(NestedVisible(assembly)))
            .Distinct()
            .SelectMany(Lines)
            .ToHashSet(StringComparer.Ordinal);

        Assert.Equal(176, listed.Length);
        Assert.Empty(listed.Except(present, StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Ours))]
    public void Assembly_Identity_IsThePublishedOne(Assembly assembly)
    {
        var name = assembly.GetName();

        Assert.Equal(new Version(2, 0, 0, 0), name.Version);
        Assert.Equal("D754F35622E28BAD", Convert.ToHexString(name.GetPublicKeyToken()!));
    }

    [GeneratedRegex("^[TMF] ", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex MemberLine();

    // "protected internal" types are not exported, but derived classes elsewhere name them.
    private static IEnumerable<Type> NestedVisible(Assembly assembly) =>
        assembly.GetTypes().Where(type => type.IsNestedFamORAssem || type.IsNestedFamily);

    private static IEnumerable<string> Lines(Type type)
    {
        var owner = type.FullName;
        yield return $"T {owner}";
        foreach (var field in type.GetFields(Declared).Where(field => field.IsPublic))
        {
            yield return $"F {owner}.{field.Name}";
        }

        foreach (var method in type.GetMethods(Declared).Cast<MethodBase>().Concat(type.GetConstructors(Declared)))
        {
            if (method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly)
            {
                var arity = method.IsGenericMethod ? $"`{method.GetGenericArguments().Length}" : "";
                var parameters = string.Join(", ", method.GetParameters().Select(parameter => Name(parameter.ParameterType)));
                var returns = method is MethodInfo { ReturnType: var type1 } ? Name(type1) : "Void";
                var isStatic = method.IsStatic ? " static" : "";
                yield return $"M {owner}.{method.Name}{arity}({parameters}) : {returns}{isStatic}";
            }
        }
    }

    private static string Name(Type type)
    {
        if (type.IsGenericParameter)
        {
            return (type.IsGenericMethodParameter ? "!!" : "!") + type.GenericParameterPosition;
        }

        if (type.IsArray)
        {
            return Name(type.GetElementType()!) + "[]";
        }

        if (type.IsGenericType)
        {
            return $"{type.GetGenericTypeDefinition().FullName}<{string.Join(",", type.GetGenericArguments().Select(Name))}>";
        }

        // The list writes the types that metadata has a code for by their short names.
        return type.IsPrimitive || type == typeof(string) || type == typeof(object) || type == typeof(void)
            ? type.Name
            : type.FullName!;
    }
}
