using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Running;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Fluster.Tests;

/// <summary>Resources start in order, are watched, and leave nothing behind.</summary>
public class LifetimeTests
{
    [Fact]
    public async Task Start_ProgramEnds_ShowsItsExitCode()
    {
        await using var app = new TestApplication();
        app.AddScript("good", "echo out; echo err >&2");
        app.AddScript("bad", "exit 3");
        app.AddScript("killed", "kill -9 $$");

        await app.StartAsync();

        Assert.Equal(0, (await app.WhenAsync("good", KnownResourceStates.Finished)).ExitCode);
        Assert.Equal(["err", "out"], (await app.OutputAsync("good")).Where(line => line.Length == 3).Order());
        Assert.Equal(3, (await app.WhenAsync("bad", KnownResourceStates.Exited)).ExitCode);
        Assert.Equal(137, (await app.WhenAsync("killed", KnownResourceStates.Exited)).ExitCode);
    }

    [Theory]
    [InlineData("no-such-program", ".", "The program 'no-such-program' of 'broken' was not found")]
    [InlineData("./no-such-file", ".", "The program './no-such-file' of 'broken' was not found")]
    [InlineData("sh", "no-such-directory", "The working directory")]
    public async Task Start_CannotWork_SaysWhatIsMissing(string command, string directory, string expected)
    {
        await using var app = new TestApplication();
        app.Builder.AddExecutable("broken", command, directory);

        await app.StartAsync();

        await app.WhenAsync("broken", KnownResourceStates.FailedToStart);
        Assert.Contains(expected, Assert.Single(await app.LogAsync("broken")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WaitFor_Dependency_StartsOnlyWhenItIsHealthyAndReady()
    {
        await using var app = new TestApplication();
        var healthy = false;
        var asked = new TaskCompletionSource();
        var readyBegun = new TaskCompletionSource();
        var readyMayEnd = new TaskCompletionSource();
        app.Builder.Services.AddHealthChecks().AddCheck("mine", () =>
        {
            asked.TrySetResult();
            return Volatile.Read(ref healthy) ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("not yet");
        });
        var first = app.AddScript("first", "sleep 1000").WithHealthCheck("mine").OnResourceReady((_, _, _) =>
        {
            readyBegun.SetResult();
            return readyMayEnd.Task;
        });
        app.AddScript("second", "sleep 1000").WaitFor(first);

        await app.StartAsync();

        await asked.Task.WaitAsync(TestApplication.Limit);
        Assert.Equal(HealthStatus.Unhealthy, (await app.WhenAsync("first", KnownResourceStates.Running)).HealthStatus);
        Assert.Null((await app.WhenAsync("second", KnownResourceStates.Waiting)).StartTimeStamp);

        Volatile.Write(ref healthy, true);
        await readyBegun.Task.WaitAsync(TestApplication.Limit);
        Assert.True(app.Notifications.TryGetCurrentState("second", out var second));
        Assert.Equal(KnownResourceStates.Waiting, second.Snapshot.State?.Text);

        readyMayEnd.SetResult();
        await app.WhenReadyAsync("second");
        Assert.Equal(HealthStatus.Healthy, (await app.WhenReadyAsync("first")).HealthStatus);
    }

    [Fact]
    public async Task WaitForCompletion_ExitCode_Decides()
    {
        await using var app = new TestApplication();
        var setup = app.AddScript("setup", "exit 4");
        app.AddScript("expects-it", "echo ran").WaitForCompletion(setup, exitCode: 4);
        app.AddScript("expects-success", "echo ran").WaitForCompletion(setup);

        await app.StartAsync();

        Assert.Contains("ran", await app.OutputAsync("expects-it"));
        await app.WhenAsync("expects-success", KnownResourceStates.FailedToStart);
        Assert.Contains("should have completed with exit code 0, but it ended with 4", (await app.LogAsync("expects-success"))[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task WaitFor_DependencyFails_FailsTooOrWaitsForItsRepair()
    {
        await using var app = new TestApplication();
        var program = Path.Combine(app.Directory, "program");
        var broken = app.Builder.AddExecutable("broken", program, ".", "1000");
        app.AddScript("strict", "sleep 1000").WaitFor(broken, WaitBehavior.StopOnResourceUnavailable);
        app.AddScript("patient", "sleep 1000").WaitFor(broken);
        await app.StartAsync();
        await app.WhenAsync("strict", KnownResourceStates.FailedToStart);
        await app.WhenAsync("patient", KnownResourceStates.Waiting);

        File.Copy(Tools.Find("sleep")!, program);
        var result = await app.Running.ResourceCommands.ExecuteCommandAsync("broken", KnownResourceCommands.RestartCommand);

        Assert.True(result.Success);
        await app.WhenReadyAsync("patient");
    }

    [Fact]
    public async Task Stop_Application_StopsDependantsFirst()
    {
        var app = new TestApplication();
        var order = Path.Combine(app.Directory, "order");
        await File.WriteAllTextAsync(order, "");
        string Script(string name) => $"trap 'echo {name} >> {order}; exit 0' TERM; echo up; while :; do sleep 0.05; done";
        var database = app.AddScript("database", Script("database"));
        var api = app.AddScript("api", Script("api")).WaitFor(database);
        app.AddScript("page", Script("page")).WithReference("api", new Uri("http://api")).WaitFor(api);
        await app.StartAsync();
        await app.LineAsync("page", line => line == "up");

        await app.Running.StopAsync();

        Assert.Equal(["page", "api", "database"], await File.ReadAllLinesAsync(order));
        await app.DisposeAsync();
    }

    [Fact]
    public async Task Stop_DeafProgramWithHiddenChildren_KillsThemAll()
    {
        await using var app = new TestApplication();
        app.Builder.Services.AddSingleton(new RunTimes { Grace = TimeSpan.FromMilliseconds(300), Patience = TimeSpan.FromSeconds(1) });
        // Deaf to SIGTERM; one child in a session of its own whose parent is gone, one without any environment.
        app.AddScript("deaf", "trap '' TERM; (setsid sh -c 'echo $$; exec sleep 1000' &); env -i sh -c 'echo $$; exec sleep 1001' & echo $$; wait; sleep 1002");
        await app.StartAsync();
        var pids = new List<int>();
        for (var count = 1; count <= 3; count++)
        {
            var seen = 0;
            pids.Add(int.Parse(await app.LineAsync("deaf", _ => ++seen == count), System.Globalization.CultureInfo.InvariantCulture));
        }

        Assert.All(pids, pid => Assert.NotNull(ProcessTable.Read(pid)));
        await app.Running.ResourceCommands.ExecuteCommandAsync("deaf", KnownResourceCommands.StopCommand);

        Assert.All(pids, pid => Assert.True(ProcessTable.Read(pid) is null or { IsDead: true }, $"{pid} lives."));
        Assert.Equal(137, (await app.WhenAsync("deaf", KnownResourceStates.Exited)).ExitCode);
    }

    [Fact]
    public async Task Commands_StopStartRestart_Work()
    {
        await using var app = new TestApplication();
        app.AddScript("service", "trap 'exit 0' TERM; echo \"run $$\"; while :; do sleep 0.05; done");
        await app.StartAsync();
        var first = await app.LineAsync("service", line => line.StartsWith("run ", StringComparison.Ordinal));
        var commands = app.Running.ResourceCommands;

        Assert.True((await commands.ExecuteCommandAsync("service", KnownResourceCommands.StopCommand)).Success);
        Assert.Equal(0, (await app.WhenAsync("service", KnownResourceStates.Finished)).ExitCode);

        Assert.True((await commands.ExecuteCommandAsync("service", KnownResourceCommands.StartCommand)).Success);
        await app.WhenAsync("service", KnownResourceStates.Running);
        await app.LineAsync("service", line => line.StartsWith("run ", StringComparison.Ordinal) && line != first);

        Assert.False((await commands.ExecuteCommandAsync("service", "dance")).Success);
        Assert.False((await commands.ExecuteCommandAsync("nobody", KnownResourceCommands.StopCommand)).Success);
    }

    [Fact]
    public async Task Commands_AreShownWithTheirState_AndRunForEachProcess()
    {
        await using var app = new TestApplication();
        var greeted = new System.Collections.Concurrent.ConcurrentQueue<string>();
        var service = app.AddScript("service", "trap 'exit 0' TERM; while :; do sleep 0.05; done")
            .WithCommand("greet", "Say hello", context =>
            {
                greeted.Enqueue(context.ResourceName);
                return Task.FromResult(CommandResults.Success("hello"));
            }, new CommandOptions { Description = "It greets.", ConfirmationMessage = "Really?", UpdateState = context => context.ResourceSnapshot.ExitCode is null ? ResourceCommandState.Enabled : ResourceCommandState.Disabled })
            .WithCommand("break", "Break", _ => throw new InvalidOperationException("broken"));
        await app.StartAsync();
        Assert.Equal("Stop, Restart, Say hello, Break", Enabled(await app.WhenAsync("service", KnownResourceStates.Running)));

        var answer = await app.Running.ResourceCommands.ExecuteCommandAsync(service.Resource, "greet");
        Assert.Equal((true, "hello", service.Resource.InstanceIds().Single()), (answer.Success, answer.Message, greeted.Single()));
        Assert.Equal((false, "broken"), await app.Running.ResourceCommands.ExecuteCommandAsync("service", "break") is var failed ? (failed.Success, failed.Message) : default);

        await app.Running.ResourceCommands.ExecuteCommandAsync("service", KnownResourceCommands.StopCommand);
        Assert.Equal("Start, Break", Enabled(await app.WhenAsync("service", KnownResourceStates.Finished)));

        static string Enabled(CustomResourceSnapshot snapshot) =>
            string.Join(", ", snapshot.Commands.Where(command => command.State == ResourceCommandState.Enabled).OrderBy(command => command.Name is not ("start" or "stop" or "restart")).Select(command => command.DisplayName));
    }

    [Fact]
    public async Task ExplicitStart_WaitsForTheCommand()
    {
        await using var app = new TestApplication();
        app.AddScript("later", "echo ran").WithExplicitStart();
        await app.StartAsync();
        Assert.Equal(KnownResourceStates.NotStarted, (await app.WhenAsync("later", KnownResourceStates.NotStarted)).State?.Text);

        await app.Running.ResourceCommands.ExecuteCommandAsync("later", KnownResourceCommands.StartCommand);

        Assert.Contains("ran", await app.OutputAsync("later"));
    }

    [Fact]
    public async Task Build_WaitsInACircle_IsRefused()
    {
        await using var app = new TestApplication();
        var one = app.AddScript("one", "true");
        var two = app.AddScript("two", "true").WaitFor(one);
        one.WaitFor(two);

        var error = await Assert.ThrowsAsync<DistributedApplicationException>(app.StartAsync);

        Assert.Contains("for itself", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task HealthCheck_NotRegistered_IsRefused()
    {
        await using var app = new TestApplication();
        app.AddScript("one", "true").WithHealthCheck("nobody-knows");

        var error = await Assert.ThrowsAsync<DistributedApplicationException>(app.StartAsync);

        Assert.Contains("'nobody-knows' of resource 'one' is not registered", error.Message, StringComparison.Ordinal);
    }
}
