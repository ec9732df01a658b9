using Google.Protobuf;

namespace Fluster.Controller;

/// <summary>What workers tell of attempts, from the wire and to it.</summary>
internal static class OutcomeWire
{
    private const int MostLines = 20;
    private const int MostLine = 2 << 10;
    private const int MostMessage = 4 << 10;
    private const int MostStack = 64 << 10;

    public static Observation ToRecord(this V1.AttemptObservation wire) => new(new Fence(wire.Fence), (AttemptPhase)wire.Phase)
    {
        Ports = [.. wire.Ports.OrderBy(port => port.Key, StringComparer.Ordinal).Select(port => new PortRecord(port.Key, port.Value))],
        Outcome = wire.Outcome is { } outcome
            ? new AttemptOutcome(outcome.Succeeded ? null : FailureOf(outcome), outcome.Result.ToRecord(), outcome.Logs.ToRecord())
            : null,
        Undead = wire.Unkillable.Count > 0,
    };

    public static V1.LogTotals ToWire(this LogTotalsRecord totals) => new()
    {
        Chunks = totals.Chunks,
        StdoutLines = totals.StdoutLines,
        StderrLines = totals.StderrLines,
        BuildLines = totals.BuildLines,
        UnknownTail = totals.UnknownTail,
    };

    public static LogTotalsRecord ToRecord(this V1.LogTotals? totals) => totals is null
        ? LogTotalsRecord.Unknown
        : new LogTotalsRecord(totals.Chunks, totals.StdoutLines, totals.StderrLines, totals.BuildLines, totals.UnknownTail);

    public static V1.Payload ToWire(this ResultRecord result) => result.BlobHash.Length == 0
        ? new V1.Payload { Inline = UnsafeByteOperations.UnsafeWrap(result.Inline) }
        : new V1.Payload { Blob = new V1.BlobRef { Hash = result.BlobHash, Size = result.Size } };

    public static ResultRecord? ToRecord(this V1.Payload? payload) => payload?.SourceCase switch
    {
        V1.Payload.SourceOneofCase.Inline => new ResultRecord(payload.Inline.Memory, "", payload.Inline.Length),
        V1.Payload.SourceOneofCase.Blob => new ResultRecord(default, payload.Blob.Hash, payload.Blob.Size),
        _ => null,
    };

    /// <summary>As long as its parts may be: a worker keeps to that, and what does not is cut.</summary>
    private static JobFailure Bounded(JobFailure failure) => failure with
    {
        Message = Cut(failure.Message, MostMessage),
        LastLines = [.. failure.LastLines.TakeLast(MostLines).Select(line => Cut(line, MostLine))],
        Exception = failure.Exception is { } exception
            ? new RemoteExceptionInfo(Cut(exception.Type, MostLine), Cut(exception.Message, MostStack), Cut(exception.Stack, MostStack))
            : null,
    };

    private static string Cut(string text, int most) => text.Length <= most ? text : text[..most] + "…";

    private static JobFailure FailureOf(V1.AttemptOutcome outcome) =>
        outcome.Failure is { } failure ? Bounded(failure.ToDomain()) : new JobFailure(FailureKind.WorkerFault, "The worker gave no reason");
}
