using System.CommandLine;
using System.CommandLine.Help;
using Fluster.Cluster;

namespace Fluster.Cli;

/// <summary>The command line as a whole: <c>fluster job run -- CMD</c> and the others.</summary>
internal static class FlusterCommand
{
    private static readonly Option<string?> s_context = new("--context")
    {
        Description = "Which of the clusters in ~/.fluster/context.json. Default: the current one.",
        HelpName = "name",
        Recursive = true,
    };

    private static readonly Option<string?> s_namespace = new("--namespace", "-n")
    {
        Description = "Another namespace than that of the context.",
        HelpName = "name",
        Recursive = true,
    };

    private static readonly Option<string> s_output = new("--output", "-o")
    {
        Description = "text, or json for programs.",
        HelpName = "text|json",
        Recursive = true,
        DefaultValueFactory = _ => "text",
    };

    /// <summary>Runs one command. Whatever goes wrong is one line on standard error.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        // '@' in front of an argument means a file to some programs; here it means itself.
        var parsed = Build().Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0)
        {
            var path = CommandPath(parsed);
            var commands = parsed.CommandResult.Command.Subcommands.Select(command => command.Name).ToList();
            if (commands.Count > 0 && parsed.UnmatchedTokens.Count == 0)
            {
                return await RunAsync([.. path.Split(' ').Skip(1), "--help"]); // only half a command: show the other halves
            }

            if (commands.Count > 0 && !parsed.UnmatchedTokens[0].StartsWith('-'))
            {
                return Fail($"'{parsed.UnmatchedTokens[0]}' is no command of '{path}'. Did you mean {NearNames.Of(parsed.UnmatchedTokens[0], commands, 1)[0]}? See '{path} --help'.");
            }

            return Fail($"{parsed.Errors[0].Message.TrimEnd('.')}. See '{path} --help'.");
        }

        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (Exception exception) when (exception is CommandFailedException or ClusterException or InvalidOperationException or ArgumentException or FormatException or TimeoutException)
        {
            return Fail(exception is ArgumentException { ParamName: { } parameter } ? exception.Message.Replace($" (Parameter '{parameter}')", "", StringComparison.Ordinal) : exception.Message);
        }
        catch (OperationCanceledException)
        {
            return ExitCodes.Interrupted;
        }
        catch (BrokenPipeException)
        {
            return ExitCodes.BrokenPipe;
        }
    }

    /// <summary>A client of the cluster that the command line means.</summary>
    public static FlusterClient Connect(ParseResult parsed)
    {
        var options = ClientEnvironment.Find(parsed.GetValue(s_context));
        return new FlusterClient(parsed.GetValue(s_namespace) is { } name ? options with { Namespace = Namespace.Parse(name) } : options);
    }

    /// <summary>The namespace that the command line names; null for the usual one.</summary>
    public static Namespace? NamespaceOf(ParseResult parsed) => parsed.GetValue(s_namespace) is { } name ? Namespace.Parse(name) : null;

    /// <summary>Whether the answer is for a program.</summary>
    public static bool IsJson(ParseResult parsed) => parsed.GetValue(s_output) == "json";

    private static RootCommand Build()
    {
        s_output.AcceptOnlyFromAmong("text", "json");
        var root = new RootCommand("Runs jobs on a Fluster cluster.")
        {
            JobCommands.Build(),
            WorkerCommands.Build(),
            VmCommands.Build(),
            EndpointCommands.Build(),
            ActorCommands.Build(),
            ClusterCommands.Build(),
            NamespaceCommands.Build(),
            LoginCommand.Build(),
            s_context,
            s_namespace,
            s_output,
        };
        foreach (var help in root.Options.OfType<HelpOption>())
        {
            help.Description = "Shows what a command does and its options.";
        }

        return root;
    }

    private static string CommandPath(ParseResult parsed)
    {
        var names = new List<string>();
        for (var result = parsed.CommandResult; result is not null; result = result.Parent as System.CommandLine.Parsing.CommandResult)
        {
            names.Insert(0, result.Command is RootCommand ? "fluster" : result.Command.Name);
        }

        return string.Join(' ', names);
    }

    private static int Fail(string message)
    {
        Console.Error.WriteLine($"fluster: {message.ReplaceLineEndings(" ")}");
        return ExitCodes.Fault;
    }
}
