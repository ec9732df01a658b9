using System.Text.Json;
using System.Text.Json.Serialization;

namespace Fluster.Worker;

/// <summary>Reads what JobHost left about a .NET entrypoint: <c>result.json</c>, <c>exception.json</c> or <c>fault.json</c>.</summary>
internal static class JobHostOutcome
{
    /// <summary>Longer texts of an exception are cut here: it is a message for people.</summary>
    private const int MaxText = 64 * 1024;

    public static AttemptEnd ReadInto(AttemptEnd end, string directory)
    {
        switch (end.ExitCode)
        {
            case 0:
                return ReadResult(end, Path.Combine(directory, "result.json"));

            case Outcomes.BundleFaultExitCode when Read<Fault>(Path.Combine(directory, "fault.json")) is { Message: { } message }:
                return end with { Failure = new JobFailure(FailureKind.Bundle, message) { ExitCode = end.ExitCode } };

            case not null when Read<Thrown>(Path.Combine(directory, "exception.json")) is { Type: { } type } thrown:
                var exception = new RemoteExceptionInfo(Cut(type), Cut(thrown.Message), Cut(thrown.Stack));
                return thrown.Of != "result" ? end with { Exception = exception }
                    : end with { Failure = new JobFailure(FailureKind.Result, $"The result cannot be kept: {exception.Message}") { ExitCode = end.ExitCode, Exception = exception } };

            default:
                return end;
        }
    }

    private static AttemptEnd ReadResult(AttemptEnd end, string path)
    {
        using var file = LeftFile.Open(path);
        if (file is null)
        {
            return end;
        }

        if (file.Length > Outcomes.MaxResultBytes)
        {
            return end with { TooLongResult = file.Length };
        }

        var result = new byte[file.Length];
        file.ReadExactly(result);
        return end with { Result = result };
    }

    private static string Cut(string? text) => text is null ? "" : text.Length <= MaxText ? text : text[..MaxText];

    private static T? Read<T>(string path)
        where T : class
    {
        try
        {
            using var file = LeftFile.Open(path);
            return file is null ? null : (T?)JsonSerializer.Deserialize(file, typeof(T), JobHostJson.Default);
        }
        catch (Exception exception) when (exception is IOException or JsonException or UnauthorizedAccessException)
        {
            return null; // not there, or not JobHost's: the exit code speaks alone
        }
    }

    internal sealed record Thrown(string? Type, string? Message, string? Stack, string? Of);

    internal sealed record Fault(string? Message);
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(JobHostOutcome.Thrown))]
[JsonSerializable(typeof(JobHostOutcome.Fault))]
internal sealed partial class JobHostJson : JsonSerializerContext;
