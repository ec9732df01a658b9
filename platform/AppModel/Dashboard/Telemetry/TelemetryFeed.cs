namespace Aspire.Hosting.Dashboard;

/// <summary>Takes telemetry into the store of this run.</summary>
internal sealed class TelemetryFeed
{
    public TelemetryStore Store { get; } = new();

    /// <summary>Told of each request that was understood, once somebody keeps them on disk too.</summary>
    public Action<Signal, ReadOnlyMemory<byte>>? OnRequest { get; set; }

    /// <exception cref="InvalidDataException">The request is none.</exception>
    public void Take(Signal signal, byte[] request)
    {
        Take(Store, signal, request);
        OnRequest?.Invoke(signal, request);
    }

    public static void Take(TelemetryStore store, Signal signal, ReadOnlySpan<byte> request)
    {
        switch (signal)
        {
            case Signal.Traces:
                store.Add(OtlpReader.Spans(request));
                break;
            case Signal.Logs:
                store.Add(OtlpReader.Logs(request));
                break;
            case Signal.Metrics:
                store.Add(OtlpReader.Metrics(request));
                break;
        }
    }
}
