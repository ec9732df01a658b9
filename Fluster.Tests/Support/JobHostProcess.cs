using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>How a job's process ended.</summary>
internal sealed record JobHostOutcome(int ExitCode, string Output, string Error, string? ResultJson, JsonElement? Exception, string? Fault)
{
    public T Result<T>() => PayloadJson.Read<T>(Encoding.UTF8.GetBytes(ResultJson ?? throw new InvalidOperationException($"There is no result. {Error}")));
}

/// <summary>Runs a method as a worker does, in a process of its own started by the job host, but without a cluster.</summary>
internal static class JobHostProcess
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    public static string JobHostPath => Path.Combine(
        Repository.Root, "Fluster.JobHost", "bin", AppContext.BaseDirectory.Contains("/Release/", StringComparison.Ordinal) ? "Release" : "Debug", "net10.0", "Fluster.JobHost.dll");

    public static Task<JobHostOutcome> RunAsync(Delegate method, params IReadOnlyList<object?> arguments) =>
        RunAsync(InvocationWriter.Write(method, arguments), AppLocation.Of(method.Method.Module.Assembly));

    public static async Task<JobHostOutcome> RunAsync(
        byte[] invocation, AppLocation app, IReadOnlyDictionary<string, string>? environment = null, Func<Process, Task>? whileRunning = null)
    {
        var directory = Directory.CreateTempSubdirectory("fluster-jobhost-").FullName;
        try
        {
            var call = Path.Combine(directory, "call.json");
            await File.WriteAllBytesAsync(call, invocation);
            var start = new ProcessStartInfo(
                "dotnet", ["exec", "--depsfile", app.DepsFile, "--runtimeconfig", app.RuntimeConfigFile, JobHostPath, Path.Combine(app.Directory, app.App + ".dll"), call, directory])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = directory,
            };
            foreach (var (name, value) in environment ?? new Dictionary<string, string>(StringComparer.Ordinal))
            {
                start.Environment[name] = value;
            }

            return await RunAsync(start, directory, whileRunning);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<JobHostOutcome> RunAsync(ProcessStartInfo start, string directory, Func<Process, Task>? whileRunning)
    {
        using var process = Process.Start(start) ?? throw new InvalidOperationException("dotnet did not start.");
        using var late = new CancellationTokenSource(s_patience);
        try
        {
            var error = process.StandardError.ReadToEndAsync(late.Token);
            if (whileRunning is not null)
            {
                await whileRunning(process);
            }

            var output = await process.StandardOutput.ReadToEndAsync(late.Token);
            await process.WaitForExitAsync(late.Token);
            return new JobHostOutcome(process.ExitCode, output, await error, Read(directory, "result.json"), Parse(Read(directory, "exception.json")), Parse(Read(directory, "fault.json"))?.GetProperty("message").GetString());
        }
        catch
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    private static string? Read(string directory, string name) => Path.Combine(directory, name) is var path && File.Exists(path) ? File.ReadAllText(path) : null;

    private static JsonElement? Parse(string? json) => json is null ? null : JsonDocument.Parse(json).RootElement.Clone();
}
