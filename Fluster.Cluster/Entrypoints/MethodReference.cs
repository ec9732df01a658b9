using System.Collections.Concurrent;
using System.Reflection;
using System.Text.Json;

namespace Fluster.Cluster;

/// <summary>
/// Names a method of the job's own program: assembly, build of it (module version id) and metadata token, so that a lambda, which has
/// no name that anybody wrote, is found exactly, and only in the very build that submitted it.
/// </summary>
internal sealed record MethodReference
{
    // A pool is given one method as thousands of items: names of assemblies are dear to ask for, and assemblies to look up.
    private static readonly ConcurrentDictionary<MethodInfo, MethodReference> s_made = new();
    private static readonly ConcurrentDictionary<(string Assembly, Guid ModuleVersion, int Token), MethodInfo> s_resolved = new();

    /// <summary>The simple name of the method's assembly.</summary>
    public required string Assembly { get; init; }

    /// <summary>Which build of it.</summary>
    public required Guid ModuleVersion { get; init; }

    /// <summary>Which method of that build.</summary>
    public required int Token { get; init; }

    /// <summary>What a person reads.</summary>
    public required string Display { get; init; }

    /// <summary>The type arguments of the method's type, assembly-qualified.</summary>
    public IReadOnlyList<string> TypeArguments { get; init; } = [];

    /// <summary>The type arguments of the method itself, assembly-qualified.</summary>
    public IReadOnlyList<string> MethodArguments { get; init; } = [];

    public static MethodReference Of(MethodInfo method) => s_made.GetOrAdd(method, Make);

    private static MethodReference Make(MethodInfo method)
    {
        if (method.Module.Assembly.IsDynamic || method.DeclaringType is null)
        {
            throw new JobRequestException($"{MethodDisplay.Of(method)} was made at run time, so that a job's process would not have it. Submit a lambda or a method of the program.");
        }

        return new MethodReference
        {
            Assembly = method.Module.Assembly.GetName().Name!,
            ModuleVersion = method.Module.ModuleVersionId,
            Token = method.MetadataToken,
            Display = MethodDisplay.Of(method),
            TypeArguments = Names(method.DeclaringType.GetGenericArguments()),
            MethodArguments = Names(method.IsGenericMethod ? method.GetGenericArguments() : []),
        };
    }

    /// <summary>The method in this process.</summary>
    /// <exception cref="BundleException">The bundle does not have it.</exception>
    public MethodInfo Resolve()
    {
        if (TypeArguments.Count > 0 || MethodArguments.Count > 0)
        {
            return Find();
        }

        var key = (Assembly, ModuleVersion, Token);
        return s_resolved.TryGetValue(key, out var known) ? known : s_resolved.GetOrAdd(key, Find());
    }

    private MethodInfo Find()
    {
        var assembly = LoadAssembly();
        var built = assembly.ManifestModule.ModuleVersionId;
        if (built != ModuleVersion)
        {
            throw new BundleException($"{Display} was submitted by another build of {Assembly} than the one in the bundle ({ModuleVersion} and {built}).");
        }

        try
        {
            var method = (MethodInfo)assembly.ManifestModule.ResolveMethod(Token)!;
            if (TypeArguments.Count > 0)
            {
                var closed = method.DeclaringType!.MakeGenericType(Types(TypeArguments));
                method = (MethodInfo)MethodBase.GetMethodFromHandle(method.MethodHandle, closed.TypeHandle)!;
            }

            return MethodArguments.Count > 0 ? method.MakeGenericMethod(Types(MethodArguments)) : method;
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidCastException or TypeLoadException or BadImageFormatException or IOException)
        {
            throw new BundleException($"{Display} is not in the bundle: {exception.Message}", exception);
        }
    }

    public void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("assembly", Assembly);
        writer.WriteString("mvid", ModuleVersion);
        writer.WriteNumber("token", Token);
        writer.WriteString("display", Display);
        WriteNames(writer, "typeArguments", TypeArguments);
        WriteNames(writer, "methodArguments", MethodArguments);
        writer.WriteEndObject();
    }

    public static MethodReference Read(JsonElement json) => new()
    {
        Assembly = json.GetProperty("assembly").GetString()!,
        ModuleVersion = json.GetProperty("mvid").GetGuid(),
        Token = json.GetProperty("token").GetInt32(),
        Display = json.GetProperty("display").GetString()!,
        TypeArguments = ReadNames(json, "typeArguments"),
        MethodArguments = ReadNames(json, "methodArguments"),
    };

    private Assembly LoadAssembly()
    {
        try
        {
            return System.Reflection.Assembly.Load(new AssemblyName { Name = Assembly });
        }
        catch (Exception exception) when (exception is IOException or BadImageFormatException)
        {
            throw new BundleException($"{Assembly}, which has {Display}, is not in the bundle: {exception.Message}", exception);
        }
    }

    private static string[] Names(Type[] types) => [.. types.Select(type => type.AssemblyQualifiedName!)];

    private static Type[] Types(IReadOnlyList<string> names) => [.. names.Select(name => Type.GetType(name, throwOnError: true)!)];

    private static void WriteNames(Utf8JsonWriter writer, string property, IReadOnlyList<string> names)
    {
        if (names.Count == 0)
        {
            return;
        }

        writer.WriteStartArray(property);
        foreach (var name in names)
        {
            writer.WriteStringValue(name);
        }

        writer.WriteEndArray();
    }

    private static string[] ReadNames(JsonElement json, string property) =>
        json.TryGetProperty(property, out var names) ? [.. names.EnumerateArray().Select(name => name.GetString()!)] : [];
}

/// <summary>A bundle cannot be run: it is not what was submitted, or a part of it is missing.</summary>
internal sealed class BundleException(string message, Exception? innerException = null) : Exception(message, innerException);
