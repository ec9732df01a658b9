using System.Diagnostics;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary><c>./fluster</c>, as the README says it.</summary>
public class FlusterScriptTests
{
    [Fact]
    public async Task Script_FromAnotherDirectory_RunsTheCommandLineOfTheCheckout()
    {
        await using var controller = await ScriptedController.StartAsync();
        controller.Play = job =>
        {
            job.Write("hello\n");
            job.End(Cluster.V1.JobState.Failed, new Cluster.V1.Failure { Kind = Cluster.V1.FailureKind.ExitCode, ExitCode = 3, Message = "Exit code: 3" });
            return Task.CompletedTask;
        };
        var directory = Directory.CreateTempSubdirectory("fluster-script-");
        try
        {
            var start = new ProcessStartInfo(Path.Combine(Repository.Root, "fluster"), ["job", "run", "--", "bash", "-c", "echo hello; exit 3"])
            {
                WorkingDirectory = directory.FullName,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                Environment = { [FlusterEnvironment.ContextFile] = await CliProcess.WriteContextAsync(directory.FullName, controller.Address, ScriptedController.Token) },
            };
            using var process = Process.Start(start)!;
            var error = process.StandardError.ReadToEndAsync();

            Assert.Equal("hello\n", await process.StandardOutput.ReadToEndAsync());
            await process.WaitForExitAsync();
            Assert.Equal((3, $"{controller.Jobs[0].Info.JobId}\n"), (process.ExitCode, await error));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }
}
