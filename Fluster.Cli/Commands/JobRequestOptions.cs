using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Fluster.Cluster;

namespace Fluster.Cli;

/// <summary>The options that describe a job, for <c>job run</c> and <c>job submit</c>.</summary>
internal sealed class JobRequestOptions
{
    private readonly Argument<string[]> _command = new("command")
    {
        Description = "The program and its arguments. Write '--' before it, so that its options are not taken for those of fluster.",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<string?> _name = new("--name") { Description = "The job's name; part of its id. Default: made from the program.", HelpName = "name" };
    private readonly Option<double?> _cpu = new("--cpu") { Description = "Cores that each task needs, for example 0.5. Default: 0.1.", HelpName = "cores", CustomParser = ParseCpu };
    private readonly Option<ByteSize?> _memory = new("--memory") { Description = "Memory that each task needs, for example 512m or 2g. Default: 256m.", HelpName = "size", CustomParser = ParseSize };
    private readonly Option<string?> _gpu = new("--gpu") { Description = "The GPUs that each task needs, for example a100 or l4:2; auto: any. Default: none.", HelpName = "model[:count]" };
    private readonly Option<string?> _tpu = new("--tpu") { Description = "The TPU slice that each replica needs, for example v5litepod-16: a task for each of its machines. Default: none.", HelpName = "slice" };
    private readonly Option<string[]> _environment = new("--env", "-e") { Description = "A variable for the job: KEY=VALUE, or KEY for the value it has here. Repeatable.", HelpName = "key[=value]", Arity = ArgumentArity.OneOrMore };
    private readonly Option<string[]> _ports = new("--port") { Description = "A port that each task gets, by name, as FLUSTER_PORT_<NAME>. Repeatable.", HelpName = "name", Arity = ArgumentArity.OneOrMore };
    private readonly Option<int> _replicas = new("--replicas") { Description = "The number of tasks.", HelpName = "count", DefaultValueFactory = _ => 1 };
    private readonly Option<int> _retries = new("--retries") { Description = "How often a task that fails is tried again.", HelpName = "count", DefaultValueFactory = _ => 0 };
    private readonly Option<TimeSpan?> _timeout = new("--timeout") { Description = "The longest time that an attempt may run, for example 90s, 5m or 1.5h. Default: none.", HelpName = "time", CustomParser = ParseTime };
    private readonly Option<string?> _workingDirectory = new("--working-directory", "-w") { Description = "A directory that is copied to the worker; the program runs in the copy.", HelpName = "directory" };

    private readonly Option<string?> _image = new("--image") { Description = "A container image to run in, for example ubuntu:24.04. Default: none, a process of the worker's machine.", HelpName = "name" };
    private readonly Option<bool> _metadata = new("--metadata-server") { Description = "The job may ask the metadata server of its cloud machine, and with that act as the machine's service account." };

    public void AddTo(Command command)
    {
        foreach (Option option in (IEnumerable<Option>)[_name, _cpu, _memory, _gpu, _tpu, _environment, _ports, _replicas, _retries, _timeout, _workingDirectory, _image, _metadata])
        {
            command.Options.Add(option);
        }

        command.Arguments.Add(_command);
    }

    /// <exception cref="CommandFailedException">The options do not describe a job.</exception>
    public JobRequest Read(ParseResult parsed)
    {
        var argv = parsed.GetRequiredValue(_command);
        var resources = new ResourceSpec();
        if (parsed.GetValue(_cpu) is { } cpu)
        {
            resources = resources with { Cpu = cpu };
        }

        if (parsed.GetValue(_memory) is { } memory)
        {
            resources = resources with { Memory = memory };
        }

        if (DeviceOf(parsed.GetValue(_gpu), parsed.GetValue(_tpu)) is { } device)
        {
            resources = resources with { Device = device };
        }

        return new JobRequest
        {
            Name = parsed.GetValue(_name) ?? NameOf(argv[0]),
            Entrypoint = JobEntrypoint.Command(argv),
            Resources = resources,
            Environment = new JobEnvironment
            {
                Variables = ReadVariables(parsed.GetValue(_environment) ?? []),
                WorkingFiles = parsed.GetValue(_workingDirectory),
                Image = parsed.GetValue(_image),
                MetadataServer = parsed.GetValue(_metadata),
            },
            Ports = parsed.GetValue(_ports) ?? [],
            Replicas = parsed.GetValue(_replicas),
            MaxFailureRetries = parsed.GetValue(_retries),
            ExecutionTimeout = parsed.GetValue(_timeout),
        };
    }

    private static Device? DeviceOf(string? gpu, string? tpu)
    {
        switch (gpu, tpu)
        {
            case (not null, not null):
                throw new CommandFailedException("A task has GPUs or is part of a TPU slice: --gpu and --tpu do not go together.");
            case (null, not null):
                return new Device.Tpu(tpu);
            case (not null, null):
                var parts = gpu.Split(':');
                var count = 1;
                return parts.Length <= 2 && parts[0].Length > 0 && (parts.Length == 1 || int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out count) && count > 0)
                    ? new Device.Gpu(parts[0], count)
                    : throw new CommandFailedException($"--gpu '{gpu}' is not a model and how many of it, such as a100 or a100:2.");
            default:
                return null;
        }
    }

    /// <summary>A job name from a program's: <c>/usr/bin/My Tool.sh</c> becomes <c>my-tool.sh</c>.</summary>
    internal static string NameOf(string program)
    {
        const int Longest = 40;
        var name = string.Concat(Path.GetFileName(program.TrimEnd('/')).ToLowerInvariant().Select(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '.' or '_' or '-' ? c : '-')).TrimStart('.', '_', '-');
        return name.Length == 0 ? "job" : name[..Math.Min(name.Length, Longest)];
    }

    /// <summary>A time as people write it: 90s, 5m, 1.5h, 2d, 500ms; a plain number is seconds. Null when it is none.</summary>
    internal static TimeSpan? TryReadTime(string text)
    {
        var digits = text.TakeWhile(c => char.IsAsciiDigit(c) || c == '.').Count();
        var unit = text[digits..].ToLowerInvariant() switch
        {
            "" or "s" => 1,
            "ms" => 0.001,
            "m" => 60,
            "h" => 3600,
            "d" => 86400,
            _ => double.NaN,
        };
        const double Longest = 86400.0 * 3650;
        return double.TryParse(text.AsSpan(0, digits), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) && number * unit is > 0 and <= Longest
            ? TimeSpan.FromSeconds(number * unit)
            : null;
    }

    internal static TimeSpan? ParseTime(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (TryReadTime(text) is { } time)
        {
            return time;
        }

        result.AddError($"'{text}' is not a time: write it like 90s, 5m or 1.5h");
        return null;
    }

    private static Dictionary<string, string> ReadVariables(IEnumerable<string> texts)
    {
        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var text in texts)
        {
            var equals = text.IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? text : text[..equals];
            if (name.Length == 0 || name.Contains('\0', StringComparison.Ordinal))
            {
                throw new CommandFailedException($"'{text}' is not a variable: write KEY=VALUE, or KEY for the value it has here.");
            }

#pragma warning disable RS0030 // The user names a variable of the shell that fluster was started in.
            variables[name] = equals >= 0 ? text[(equals + 1)..] : Environment.GetEnvironmentVariable(name)
                ?? throw new CommandFailedException($"The variable {name} is not set here; write {name}=VALUE.");
#pragma warning restore RS0030
        }

        return variables;
    }

    private static double? ParseCpu(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var cores) && cores is >= 0 and <= 1e6)
        {
            return cores;
        }

        result.AddError($"'{text}' is not a number of cores: write it like 2 or 0.5");
        return null;
    }

    private static ByteSize? ParseSize(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (ByteSize.TryParse(text, out var size))
        {
            return size;
        }

        result.AddError($"'{text}' is not a size: write it like 512m or 2g");
        return null;
    }
}
