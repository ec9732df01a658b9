using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Fluster.Cluster;

/// <summary>A call that was written down by <see cref="InvocationWriter"/>, ready to be made in the job's process.</summary>
internal sealed class Invocation
{
    public const int FormatVersion = 1;

    private readonly MethodInfo _method;
    private readonly object? _target;
    private readonly object?[] _arguments;
    private Type? _lastType;

    private Invocation(MethodInfo method, object? target, object?[] arguments)
    {
        _method = method;
        _target = target;
        _arguments = arguments;
    }

    /// <summary>What the method returns once it was awaited; null when that is nothing.</summary>
    public Type? ResultType => InvocationResult.TypeOf(_method);

    /// <summary>What a person reads.</summary>
    public string Display => MethodDisplay.Of(_method);

    /// <exception cref="BundleException">It is no such call, or the bundle does not have its method.</exception>
    public static Invocation Read(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 2 * PayloadJson.MaxDepth });
            var root = document.RootElement;
            if (root.GetProperty("version").GetInt32() is var version and not FormatVersion)
            {
                throw new BundleException($"The call was written in format {version}, and this Fluster.Cluster reads format {FormatVersion}.");
            }

            var method = MethodReference.Read(root.GetProperty("method")).Resolve();
            var missing = root.TryGetProperty("open", out _) ? 1 : 0;
            return new Invocation(method, ReadTarget(root, method), ReadArguments(root.GetProperty("arguments"), method, missing));
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new BundleException($"The call cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>Makes the call and waits for its end.</summary>
    /// <param name="stopping">What a <see cref="CancellationToken"/> parameter gets; asked for only when there is one.</param>
    public object? Run(Func<CancellationToken> stopping) => Run(_arguments, stopping);

    /// <summary>Makes a call that lacks its last argument, and waits for its end.</summary>
    /// <param name="last">The argument, as <see cref="InvocationWriter.WriteLast"/> wrote it.</param>
    /// <param name="stopping">What a <see cref="CancellationToken"/> parameter gets; asked for only when there is one.</param>
    /// <exception cref="BundleException">It is not such an argument; the call was not made.</exception>
    public object? Run(ReadOnlySpan<byte> last, Func<CancellationToken> stopping)
    {
        var arguments = new object?[_arguments.Length];
        Array.Copy(_arguments, arguments, arguments.Length);
        try
        {
            arguments[^1] = ReadValue(last, _lastType ??= _method.GetParameters().Last(IsSent).ParameterType);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or FormatException or NotSupportedException)
        {
            throw new BundleException($"The argument of {Display} cannot be read: {exception.Message}", exception);
        }

        return Run(arguments, stopping);
    }

    private object? Run(object?[] arguments, Func<CancellationToken> stopping)
    {
        var parameters = _method.GetParameters();
        var values = new object?[parameters.Length];
        JobServices? services = null;
        try
        {
            for (var (index, next) = (0, 0); index < values.Length; index++)
            {
                var type = parameters[index].ParameterType;
                values[index] = type == typeof(CancellationToken) ? stopping()
                    : IsSent(parameters[index]) ? arguments[next++]
                    : (services ??= new JobServices()).Make(type);
            }

            return InvocationResult.Await(_method.Invoke(_target, BindingFlags.DoNotWrapExceptions, binder: null, values, culture: null));
        }
        finally
        {
            services?.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    /// <summary>Whether the submitter gives the parameter its value; else the job does.</summary>
    public static bool IsSent(ParameterInfo parameter) => parameter.ParameterType != typeof(CancellationToken) && !JobServices.Makes(parameter.ParameterType);

    private static object? ReadTarget(JsonElement root, MethodInfo method)
    {
        if (root.TryGetProperty("closure", out var closure))
        {
            return ReadClosure(closure, method.DeclaringType!);
        }

        return root.TryGetProperty("instance", out var instance) ? ReadValue(instance, method.DeclaringType!) : null;
    }

    // Only the fields that the class of the job's own program has, each by its own type.
    private static object ReadClosure(JsonElement json, Type type)
    {
        if (!ClosureShape.IsClosure(type))
        {
            throw new FormatException($"{TypeNames.Of(type)} does not hold captured variables.");
        }

        var closure = RuntimeHelpers.GetUninitializedObject(type);
        foreach (var variable in json.EnumerateObject())
        {
            var field = type.GetField(variable.Name, BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)
                ?? throw new FormatException($"{TypeNames.Of(type)} has no variable '{variable.Name}'.");
            field.SetValue(closure, ClosureShape.IsOuterScope(field) ? ReadClosure(variable.Value, field.FieldType) : ReadValue(variable.Value, field.FieldType));
        }

        return closure;
    }

    // Loops, here and above, where LINQ would read better: every generic method of it has to be compiled while the job starts.
    private static object?[] ReadArguments(JsonElement json, MethodInfo method, int missing)
    {
        var given = json.GetArrayLength();
        var arguments = new object?[given + missing];
        var count = 0;
        foreach (var parameter in method.GetParameters())
        {
            if (IsSent(parameter) && count++ < given)
            {
                arguments[count - 1] = ReadValue(json[count - 1], parameter.ParameterType);
            }
        }

        return count == arguments.Length ? arguments : throw new FormatException($"{MethodDisplay.Of(method)} takes {count} arguments, and {given} were sent.");
    }

    private static object? ReadValue(JsonElement json, Type type) => ReadValue(JsonMarshalBytes(json), type);

    private static object? ReadValue(ReadOnlySpan<byte> json, Type type)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = PayloadJson.MaxDepth });
        reader.Read();
        return PayloadJson.Read(ref reader, type);
    }

    private static ReadOnlySpan<byte> JsonMarshalBytes(JsonElement json) => System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(json);
}
