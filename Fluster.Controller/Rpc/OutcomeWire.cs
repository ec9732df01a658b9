using Google.Protobuf;

namespace Fluster.Controller;

/// <summary>What workers tell of attempts, from the wire and to it.</summary>
internal static class OutcomeWire
{
    public static Observation ToRecord(this V1.AttemptObservation wire) => new(new Fence(wire.Fence), (AttemptPhase)wire.Phase)
    {
        Ports = [.. wire.Ports.OrderBy(port => port.Key, StringComparer.Ordinal).Select(port => new PortRecord(port.Key, port.Value))],
        Outcome = wire.Outcome is { } outcome
            ? new AttemptOutcome(outcome.Succeeded ? null : FailureOf(outcome), outcome.Result.ToRecord(), outcome.Logs.ToRecord())
            : null,
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

    private static JobFailure FailureOf(V1.AttemptOutcome outcome) =>
        outcome.Failure?.ToDomain() ?? new JobFailure(FailureKind.WorkerFault, "The worker gave no reason");
}
