using System.Reflection;
using System.Runtime.CompilerServices;

namespace Fluster.Cluster;

/// <summary>How the C# compiler lays out what a lambda captures.</summary>
internal static class ClosureShape
{
    private const BindingFlags InstanceFields = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    /// <summary>Whether the compiler made this class to hold captured variables, or to hold a lambda that captures none.</summary>
    public static bool IsClosure(Type type) =>
        type.Name.StartsWith("<>c", StringComparison.Ordinal) && type.IsDefined(typeof(CompilerGeneratedAttribute), inherit: false);

    /// <summary>The fields that hold captured variables; not those in which the compiler keeps delegates that it made.</summary>
    public static IEnumerable<FieldInfo> Fields(Type closure) =>
        closure.GetFields(InstanceFields).Where(field => !field.Name.StartsWith("<>9", StringComparison.Ordinal));

    /// <summary>Whether the field holds an outer scope's captured variables.</summary>
    public static bool IsOuterScope(FieldInfo field) => IsClosure(field.FieldType);

    /// <summary>The name that the user wrote.</summary>
    public static string VariableName(FieldInfo field) => field.Name.EndsWith("__this", StringComparison.Ordinal) ? "this" : field.Name;
}
