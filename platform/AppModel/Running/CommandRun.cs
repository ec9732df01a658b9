using System.Diagnostics;

namespace Aspire.Hosting.Running;

/// <summary>What a short command answered.</summary>
internal sealed record CommandAnswer(int ExitCode, string Output, string Error)
{
    public bool Succeeded => ExitCode == 0;

    /// <summary>The last thing that it said.</summary>
    public string LastLine =>
        (Error.Split('\n').LastOrDefault(HasText) ?? Output.Split('\n').LastOrDefault(HasText) ?? $"exit code {ExitCode}").Trim();

    private static bool HasText(string line) => !string.IsNullOrWhiteSpace(line);
}

/// <summary>Runs a short command and waits for its answer.</summary>
internal static class CommandRun
{
    /// <exception cref="TimeoutException">It took longer than <paramref name="limit"/>, and was killed.</exception>
    public static async Task<CommandAnswer> RunAsync(
        string program, IEnumerable<string> arguments, TimeSpan limit, string? workingDirectory, CancellationToken cancellationToken)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = workingDirectory ?? "",
        }) ?? throw new InvalidOperationException($"'{program}' did not start.");
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        either.CancelAfter(limit);
        try
        {
            process.StandardInput.Close();
            var output = process.StandardOutput.ReadToEndAsync(either.Token);
            var error = process.StandardError.ReadToEndAsync(either.Token);
            await process.WaitForExitAsync(either.Token);
            return new CommandAnswer(process.ExitCode, await output, await error);
        }
        catch (OperationCanceledException exception)
        {
            process.Kill(entireProcessTree: true);
            cancellationToken.ThrowIfCancellationRequested();
            throw new TimeoutException($"'{Path.GetFileName(program)} {string.Join(' ', arguments)}' did not answer within {limit.TotalSeconds:0} s.", exception);
        }
    }
}
