using System.Collections.Frozen;
using System.Runtime.InteropServices;

namespace Fluster.Cluster;

/// <summary>This process as a job: what its environment says, and the signal that asks it to stop.</summary>
internal static class JobProcess
{
    private static readonly Lazy<FlusterContext?> s_context = new(FlusterContext.FromEnvironment);
    private static readonly Lazy<CancellationToken> s_stopping = new(ListenForStop);

    // Held for the life of the process: a collected registration stops listening.
    private static PosixSignalRegistration? s_registration;

    /// <summary>The context of the job that this process was started as; null when it was not.</summary>
    public static FlusterContext? Context => s_context.Value;

    /// <summary>Cancelled by SIGTERM. From the first use on, SIGTERM no longer ends the process by itself.</summary>
    public static CancellationToken Stopping => s_stopping.Value;

    /// <summary>Reads a context from variables.</summary>
    /// <exception cref="FormatException">There is a job id, but a variable cannot be read.</exception>
    public static FlusterContext? Read(Func<string, string?> get, IEnumerable<KeyValuePair<string, string>> ports)
    {
        if (get(FlusterEnvironment.JobId) is null)
        {
            return null;
        }

        var context = new FlusterContext
        {
            JobId = Read(get, FlusterEnvironment.JobId, JobId.Parse),
            Namespace = Read(get, FlusterEnvironment.Namespace, Namespace.Parse, Namespace.Default),
            TaskIndex = Read(get, FlusterEnvironment.TaskIndex, int.Parse, 0),
            TaskCount = Read(get, FlusterEnvironment.TaskCount, int.Parse, 1),
            Fence = Read(get, FlusterEnvironment.Fence, Fence.Parse, default),
            WorkerId = get(FlusterEnvironment.WorkerId) is null ? null : Read(get, FlusterEnvironment.WorkerId, WorkerId.Parse),
            Ports = ports.ToFrozenDictionary(
                port => port.Key[FlusterEnvironment.PortPrefix.Length..].ToLowerInvariant(),
                port => Read(_ => port.Value, port.Key, int.Parse),
                PortName.Comparer),
        };
        SpanRecorder.Listen();
        var notice = get(FlusterEnvironment.PreemptionFile);
        return context.WithLazy(ConnectOrNull, () => Stopping).WithPreemption(() => notice is null ? null : PreemptionNotice.Read(notice));
    }

    private static FlusterClient? ConnectOrNull() => ClientEnvironment.FromVariables() is { } options ? new FlusterClient(options) : null;

    private static T Read<T>(Func<string, string?> get, string name, Func<string, T> parse, T? fallback = default)
    {
        var text = get(name);
        if (text is null)
        {
            return fallback!;
        }

        try
        {
            return parse(text);
        }
        catch (Exception exception) when (exception is FormatException or OverflowException)
        {
            throw new FormatException($"The environment variable {name} cannot be read: {exception.Message}", exception);
        }
    }

    private static CancellationToken ListenForStop()
    {
        var source = new CancellationTokenSource();
        s_registration = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
        {
            signal.Cancel = true; // The job decides when it has ended; the worker kills it after the grace.
            source.Cancel();
        });
        return source.Token;
    }
}
