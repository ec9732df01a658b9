namespace Fluster.Cluster;

/// <summary>What a job runs: a program with its arguments, or a .NET method that travels with the program it belongs to.</summary>
public abstract class JobEntrypoint
{
    private JobEntrypoint() { } // Closed: every case is listed here.

    /// <summary>What a person reads in lists: <c>bash -c …</c>, <c>Training.Run</c>.</summary>
    public abstract string Display { get; }

    /// <summary>
    /// A program and its arguments, of any language, found on the worker's PATH or in the working files. No shell is involved:
    /// ask for one by <c>Command("sh", "-c", "…")</c>.
    /// </summary>
    /// <param name="argv">The program, then its arguments; together at most 4 MiB.</param>
    public static JobEntrypoint Command(params IReadOnlyList<string> argv) => new CommandLine([.. argv]);

    /// <summary>
    /// A .NET method or lambda, sync or async, with or without a result. What it captures and its arguments travel as JSON, as
    /// copies, when the job is submitted; what cannot travel is refused then, by name. A <see cref="CancellationToken"/> parameter
    /// is not given an argument: it becomes <see cref="FlusterContext.Stopping"/>.
    /// </summary>
    /// <remarks>
    /// A parameter whose class has a static <c>ConfigureServices(IServiceCollection)</c> is not given an argument either: the job makes the
    /// object by constructor injection, from what that method registers, the <see cref="FlusterContext"/> and its
    /// <see cref="IClusterController"/>, and disposes it at the end: <c>For((Trainer trainer) =&gt; trainer.RunAsync("cfg"))</c>.
    /// </remarks>
    /// <param name="method">The method or lambda.</param>
    /// <param name="arguments">Its arguments, one for each parameter that the job does not fill in itself.</param>
    public static JobEntrypoint For(Delegate method, params IReadOnlyList<object?> arguments) => new Method(method, [.. arguments]);

    /// <summary>A program and its arguments.</summary>
    internal sealed class CommandLine(IReadOnlyList<string> argv) : JobEntrypoint
    {
        public IReadOnlyList<string> Argv { get; } = argv;

        public override string Display => string.Join(' ', Argv);
    }

    /// <summary>A .NET method, what it is called on, and its arguments.</summary>
    internal sealed class Method(Delegate target, IReadOnlyList<object?> arguments) : JobEntrypoint
    {
        public Delegate Target { get; } = target;

        public IReadOnlyList<object?> Arguments { get; } = arguments;

        public override string Display => MethodDisplay.Of(Target.Method);
    }
}
