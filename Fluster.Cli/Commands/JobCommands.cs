using System.CommandLine;
using Fluster.Cluster;

namespace Fluster.Cli;

/// <summary><c>fluster job …</c></summary>
internal static class JobCommands
{
    public static Command Build() => new("job", "Run, follow and stop jobs.")
    {
        Run(),
        Submit(),
        List(),
        Show(),
        Explain(),
        Trace(),
        Logs(),
        Wait(),
        Stop(),
    };

    private static Command Run()
    {
        var options = new JobRequestOptions();
        var command = new Command("run", "Runs a command as a job: prints the job's id and what the job writes, and exits as the job does. Ctrl+C stops the job; a second one leaves it.");
        options.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var request = options.Read(parsed);
            await using var client = FlusterCommand.Connect(parsed);
            return await new JobRun(client).RunAsync(request, cancellationToken);
        });
        return command;
    }

    private static Command Submit()
    {
        var options = new JobRequestOptions();
        var command = new Command("submit", "Submits a command as a job, prints its id and does not wait.");
        options.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var request = options.Read(parsed);
            await using var client = FlusterCommand.Connect(parsed);
            var job = await client.SubmitAsync(request, cancellationToken);
            if (FlusterCommand.IsJson(parsed))
            {
                Output.Json(new SubmittedView(job.Id.ToString()), ViewJson.Default.SubmittedView);
            }
            else
            {
                Output.Line(job.Id.ToString());
            }

            return 0;
        });
        return command;
    }

    private static Command List()
    {
        var states = new Option<JobState[]>("--state") { Description = "Only jobs in this state. Repeatable.", HelpName = "state", Arity = ArgumentArity.OneOrMore };
        var allNamespaces = new Option<bool>("--all-namespaces", "-A") { Description = "The jobs of every namespace. Needs the role admin." };
        var archived = new Option<bool>("--all", "-a") { Description = "Also jobs that ended so long ago that they were archived." };
        var below = new Option<string?>("--below") { Description = "Only this job and everything below it.", HelpName = "job" };
        var command = new Command("list", "Lists jobs, newest first.") { states, allNamespaces, archived, below };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var client = FlusterCommand.Connect(parsed);
            var filter = new JobFilter
            {
                States = parsed.GetValue(states) ?? [],
                AllNamespaces = parsed.GetValue(allNamespaces),
                IncludeArchived = parsed.GetValue(archived),
                Namespace = FlusterCommand.NamespaceOf(parsed),
                Within = parsed.GetValue(below) is { } text ? await JobFinder.FindAsync(client, text, cancellationToken) : null,
            };
            var jobs = await client.ListAsync(filter, cancellationToken).ToListAsync(cancellationToken);
            if (FlusterCommand.IsJson(parsed))
            {
                Output.Json([.. jobs.Select(JobView.From)], ViewJson.Default.IReadOnlyListJobView);
            }
            else
            {
                JobText.List(jobs, filter.AllNamespaces, TimeProvider.System.GetUtcNow());
            }

            return 0;
        });
        return command;
    }

    private static Command Show()
    {
        var job = JobArgument();
        var command = new Command("show", "Shows one job, with its tasks and attempts.") { job };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var client = FlusterCommand.Connect(parsed);
            var status = await client.GetStatusAsync(await JobFinder.FindAsync(client, parsed.GetRequiredValue(job), cancellationToken), cancellationToken);
            if (FlusterCommand.IsJson(parsed))
            {
                Output.Json(JobView.From(status), ViewJson.Default.JobView);
            }
            else
            {
                JobText.Show(status, TimeProvider.System.GetUtcNow());
            }

            return 0;
        });
        return command;
    }

    private static Command Explain()
    {
        var job = JobArgument();
        var command = new Command("explain", "Says what a job waits for, who has that, and the smallest change that would let it run.") { job };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var client = FlusterCommand.Connect(parsed);
            var explanation = await client.ExplainAsync(await JobFinder.FindAsync(client, parsed.GetRequiredValue(job), cancellationToken), cancellationToken);
            if (FlusterCommand.IsJson(parsed))
            {
                Output.Json(ExplanationView.From(explanation), ViewJson.Default.ExplanationView);
            }
            else
            {
                ExplanationText.Show(explanation);
            }

            return 0;
        });
        return command;
    }

    private static Command Trace()
    {
        var job = JobArgument();
        var command = new Command("trace", "Shows where the time of a job went: from its submit over the queue, its placement and its start to what it did, as a tree.") { job };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var client = FlusterCommand.Connect(parsed);
            var id = await JobFinder.FindAsync(client, parsed.GetRequiredValue(job), cancellationToken);
            var trace = await client.GetTraceAsync(id, cancellationToken);
            if (FlusterCommand.IsJson(parsed))
            {
                Output.Json(TraceView.From(id, trace), ViewJson.Default.TraceView);
            }
            else
            {
                TraceText.Show(id, trace, TimeProvider.System.GetUtcNow());
            }

            return 0;
        });
        return command;
    }

    private static Command Logs()
    {
        var job = JobArgument();
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on until the job has ended." };
        var task = new Option<int?>("--task") { Description = "Only this task, counted from 0.", HelpName = "index" };
        var tail = new Option<int?>("--tail") { Description = "Begin so many lines before the end.", HelpName = "lines" };
        var command = new Command("logs", "Prints what a job wrote: its standard output and its standard error, each to the one here.") { job, follow, task, tail };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var client = FlusterCommand.Connect(parsed);
            var id = await JobFinder.FindAsync(client, parsed.GetRequiredValue(job), cancellationToken);
            var options = new LogOptions { Follow = parsed.GetValue(follow), TaskIndex = parsed.GetValue(task), Tail = parsed.GetValue(tail) };
            var replicas = options.TaskIndex is null ? (await client.GetStatusAsync(id, cancellationToken)).Replicas : 1;
            var printer = new LogPrinter(replicas);
            await foreach (var chunk in client.StreamLogChunks(id, options, cancellationToken))
            {
                printer.Print(chunk);
            }

            return 0;
        });
        return command;
    }

    private static Command Wait()
    {
        var jobs = new Argument<string[]>("job") { Description = "Ids, or names for their newest run.", Arity = ArgumentArity.OneOrMore };
        var timeout = new Option<TimeSpan?>("--timeout") { Description = "The longest wait, for example 90s or 5m; then exit code 124. Default: none.", HelpName = "time", CustomParser = JobRequestOptions.ParseTime };
        var command = new Command("wait", "Waits until jobs have ended. Exits as the first of them that did not succeed, else with 0.") { jobs, timeout };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var client = FlusterCommand.Connect(parsed);
            var ids = new List<JobId>();
            foreach (var text in parsed.GetRequiredValue(jobs))
            {
                ids.Add(await JobFinder.FindAsync(client, text, cancellationToken));
            }

            IReadOnlyList<JobStatus> ended;
            try
            {
                ended = await client.WaitAsync(ids, parsed.GetValue(timeout) ?? Timeout.InfiniteTimeSpan, throwOnFailure: false, cancellationToken);
            }
            catch (TimeoutException exception)
            {
                Output.Problem(exception.Message);
                return ExitCodes.TimedOut;
            }

            if (FlusterCommand.IsJson(parsed))
            {
                Output.Json([.. ended.Select(JobView.From)], ViewJson.Default.IReadOnlyListJobView);
            }
            else
            {
                foreach (var status in ended)
                {
                    Output.Line(JobText.Ended(status));
                }
            }

            return ended.Select(ExitCodes.Of).FirstOrDefault(code => code != 0);
        });
        return command;
    }

    private static Command Stop()
    {
        var jobs = new Argument<string[]>("job") { Description = "Ids, or names for their newest run.", Arity = ArgumentArity.OneOrMore };
        var within = new Option<bool>("--within") { Description = "Stop every live job of these ids and below them, whether or not there is a job of the id itself." };
        var command = new Command("stop", "Asks jobs and everything below them to stop: SIGTERM, and SIGKILL 5 seconds later. Does not wait.") { jobs, within };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var client = FlusterCommand.Connect(parsed);
            if (parsed.GetValue(within))
            {
                return await StopWithinAsync(client, parsed.GetRequiredValue(jobs), FlusterCommand.IsJson(parsed), cancellationToken);
            }

            var stopped = new List<JobStatus>();
            foreach (var text in parsed.GetRequiredValue(jobs))
            {
                stopped.Add(await StopOneAsync(client, text, cancellationToken));
            }

            if (FlusterCommand.IsJson(parsed))
            {
                Output.Json([.. stopped.Select(JobView.From)], ViewJson.Default.IReadOnlyListJobView);
            }
            else
            {
                foreach (var status in stopped)
                {
                    Output.Line(status.State.IsTerminal ? $"{status.Id} has ended: {status.State}" : $"{status.Id} is stopping");
                }
            }

            return 0;
        });
        return command;
    }

    private static async Task<JobStatus> StopOneAsync(FlusterClient client, string text, CancellationToken cancellationToken)
    {
        if (JobId.TryParse(text, out var id))
        {
            try
            {
                return await client.TerminateAsync(id, cancellationToken); // first of all: if it is only about to come, it will be refused
            }
            catch (ClusterException exception) when (exception.Error == ClusterError.NotFound)
            {
                // Perhaps a name.
            }
        }

        return await client.TerminateAsync(await JobFinder.FindAsync(client, text, cancellationToken), cancellationToken);
    }

    private static async Task<int> StopWithinAsync(FlusterClient client, string[] prefixes, bool json, CancellationToken cancellationToken)
    {
        var stopped = new List<StoppedWithinView>();
        foreach (var text in prefixes)
        {
            var prefix = JobId.TryParse(text, out var id) ? id : throw new CommandFailedException($"'{text}' is not a job id.");
            stopped.Add(new StoppedWithinView(text, await client.TerminateWithinAsync(prefix, cancellationToken)));
        }

        if (json)
        {
            Output.Json(stopped, ViewJson.Default.IReadOnlyListStoppedWithinView);
            return 0;
        }

        foreach (var (prefix, count) in stopped)
        {
            Output.Line($"{count} live jobs within {prefix} are stopping");
        }

        return 0;
    }

    private static Argument<string> JobArgument() => new("job") { Description = "A job's id, or the name of a root job for its newest run." };
}
