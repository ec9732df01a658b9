using System.Reflection;
using System.Text.Json;

namespace Fluster.Cluster;

/// <summary>Writes a call down: which method, on what, with which arguments. <see cref="Invocation"/> reads it in the job's process.</summary>
internal sealed class InvocationWriter : IDisposable
{
    private readonly MemoryStream _buffer = new();
    private readonly Utf8JsonWriter _writer;
    private readonly List<(string Name, long Bytes)> _sizes = [];

    private InvocationWriter() => _writer = new Utf8JsonWriter(_buffer, new JsonWriterOptions { MaxDepth = 2 * PayloadJson.MaxDepth });

    /// <exception cref="JobRequestException">A part of the call cannot travel, or it is too large; the message names it.</exception>
    public static byte[] Write(Delegate target, IReadOnlyList<object?> arguments) => Write(target, arguments, isOpen: false);

    /// <summary>As <see cref="Write(Delegate, IReadOnlyList{object?})"/>, but for the last argument: it is given when the call is made, each time another.</summary>
    /// <exception cref="JobRequestException">A part of the call cannot travel, or it is too large; the message names it.</exception>
    public static byte[] WriteOpen(Delegate target) => Write(target, [], isOpen: true);

    /// <summary>The last argument of such a call.</summary>
    /// <exception cref="JobRequestException">It cannot travel, or it is too large.</exception>
    public static byte[] WriteLast(Delegate target, object? value)
    {
        var parameter = target.Method.GetParameters().Last(Invocation.IsSent);
        using var writer = new InvocationWriter();
        writer.WriteValue("argument", parameter.Name ?? "?", value, parameter.ParameterType);
        writer._writer.Flush();
        return writer._buffer.Length <= JobRequestRules.MaxArgumentBytes ? writer._buffer.ToArray() : throw writer.TooLarge(target.Method);
    }

    private static byte[] Write(Delegate target, IReadOnlyList<object?> arguments, bool isOpen)
    {
        if (!target.HasSingleTarget)
        {
            throw new JobRequestException("A delegate that calls several methods cannot be submitted; submit each of them.");
        }

        using var writer = new InvocationWriter();
        writer.WriteCall(target, arguments, isOpen);
        writer._writer.Flush();
        return writer._buffer.Length <= JobRequestRules.MaxArgumentBytes ? writer._buffer.ToArray() : throw writer.TooLarge(target.Method);
    }

    public void Dispose()
    {
        _writer.Dispose();
        _buffer.Dispose();
    }

    private void WriteCall(Delegate target, IReadOnlyList<object?> arguments, bool isOpen)
    {
        var method = target.Method;
        var result = InvocationResult.TypeOf(method);
        if (result is not null && ValueShape.Of(result) is { Kind: TravelKind.Refused } refused)
        {
            throw new JobRequestException($"{MethodDisplay.Of(method)} returns a {TypeNames.Of(result)}, which cannot travel: {refused.Reason}. If the result does not matter, let it return nothing.");
        }

        _writer.WriteStartObject();
        _writer.WriteNumber("version", Invocation.FormatVersion);
        _writer.WritePropertyName("method");
        MethodReference.Of(method).Write(_writer);
        if (target.Target is { } instance && !method.IsStatic)
        {
            WriteInstance(method, instance);
        }

        // An extension method's delegate holds its first argument.
        WriteArguments(method, target.Target is not null && method.IsStatic ? [target.Target, .. arguments] : arguments, isOpen);
        _writer.WriteEndObject();
    }

    private void WriteInstance(MethodInfo method, object instance)
    {
        if (ClosureShape.IsClosure(instance.GetType()))
        {
            _writer.WritePropertyName("closure");
            WriteClosure(instance, CaptureScan.UsedFields(method));
            return;
        }

        // A lambda that captures nothing but "this" is a method of that class, and so is a method that was given as it is.
        if (instance.GetType() != method.DeclaringType)
        {
            throw new JobRequestException(
                $"{MethodDisplay.Of(method)} was submitted for a {TypeNames.Of(instance.GetType())}, which cannot travel as a {TypeNames.Of(method.DeclaringType!)}: submit a lambda that calls it on a variable of its own type.");
        }

        _writer.WritePropertyName("instance");
        WriteValue("captured variable", "this", instance, instance.GetType());
    }

    private void WriteClosure(object closure, IReadOnlySet<int>? used)
    {
        _writer.WriteStartObject();
        foreach (var field in ClosureShape.Fields(closure.GetType()))
        {
            var value = field.GetValue(closure);
            if (value is null || used is not null && !used.Contains(field.MetadataToken))
            {
                continue;
            }

            _writer.WritePropertyName(field.Name);
            if (ClosureShape.IsOuterScope(field))
            {
                WriteClosure(value, used);
            }
            else
            {
                WriteValue("captured variable", ClosureShape.VariableName(field), value, field.FieldType);
            }
        }

        _writer.WriteEndObject();
    }

    private void WriteArguments(MethodInfo method, IReadOnlyList<object?> arguments, bool isOpen)
    {
        var parameters = method.GetParameters();
        var given = parameters.Where(Invocation.IsSent).ToList();
        if (isOpen)
        {
            given.RemoveAt(given.Count - 1);
            _writer.WriteBoolean("open", true);
        }

        if (given.Count != arguments.Count)
        {
            var expected = given.Count == 0 ? "no arguments" : $"{given.Count} ({string.Join(", ", given.Select(parameter => parameter.Name))})";
            throw new JobRequestException($"{MethodDisplay.Of(method)} takes {expected}, and {arguments.Count} {(arguments.Count == 1 ? "was" : "were")} given.");
        }

        _writer.WriteStartArray("arguments");
        foreach (var (parameter, argument) in given.Zip(arguments))
        {
            if (argument is not null && !parameter.ParameterType.IsInstanceOfType(argument))
            {
                throw new JobRequestException($"The argument '{parameter.Name}' of {MethodDisplay.Of(method)} is a {TypeNames.Of(parameter.ParameterType)}, and a {TypeNames.Of(argument.GetType())} was given.");
            }

            WriteValue("argument", parameter.Name ?? "?", argument, parameter.ParameterType);
        }

        _writer.WriteEndArray();
    }

    private void WriteValue(string what, string name, object? value, Type declared)
    {
        if (TravelCheck.Find(value, declared) is { } problem)
        {
            throw new JobRequestException(problem.Describe(what, name));
        }

        var before = _writer.BytesCommitted + _writer.BytesPending;
        try
        {
            PayloadJson.Write(_writer, value, declared);
        }
        catch (Exception exception) when (exception is NotSupportedException or JsonException or InvalidOperationException)
        {
            throw new JobRequestException(new TravelProblem("", declared, exception.Message.TrimEnd('.')).Describe(what, name), exception);
        }

        _sizes.Add((name, _writer.BytesCommitted + _writer.BytesPending - before));
    }

    private JobRequestException TooLarge(MethodInfo method)
    {
        var (name, bytes) = _sizes.MaxBy(size => size.Bytes);
        return new JobRequestException(
            $"What {MethodDisplay.Of(method)} captures and is given has {_buffer.Length:N0} bytes as JSON, and {JobRequestRules.MaxArgumentBytes:N0} (4 MiB) can travel. " +
            $"'{name}' alone has {bytes:N0}. Send a path, or the data as working files.");
    }
}
