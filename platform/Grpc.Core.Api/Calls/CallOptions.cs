namespace Grpc.Core;

/// <summary>What a caller may say about one call, besides its request.</summary>
/// <param name="headers">Sent before the request.</param>
/// <param name="deadline">When the call ends at the latest, in UTC; none when null.</param>
/// <param name="cancellationToken">Ends the call when cancelled.</param>
/// <param name="writeOptions">How the request message is sent.</param>
/// <param name="propagationToken">Carries a parent call's deadline and cancellation.</param>
/// <param name="credentials">Adds to the headers at the time of the call.</param>
public struct CallOptions(
    Metadata? headers = null,
    DateTime? deadline = null,
    CancellationToken cancellationToken = default,
    WriteOptions? writeOptions = null,
    ContextPropagationToken? propagationToken = null,
    CallCredentials? credentials = null)
{
    public Metadata? Headers { readonly get; private set; } = headers;

    public DateTime? Deadline { readonly get; private set; } = deadline;

    public CancellationToken CancellationToken { readonly get; private set; } = cancellationToken;

    public WriteOptions? WriteOptions { readonly get; private set; } = writeOptions;

    public ContextPropagationToken? PropagationToken { readonly get; private set; } = propagationToken;

    public CallCredentials? Credentials { readonly get; private set; } = credentials;

    /// <summary>Whether the call waits for a connection instead of failing while there is none.</summary>
    public bool IsWaitForReady { readonly get; private set; }

    public readonly CallOptions WithHeaders(Metadata headers) => this with { Headers = headers };

    public readonly CallOptions WithDeadline(DateTime deadline) => this with { Deadline = deadline };

    public readonly CallOptions WithCancellationToken(CancellationToken cancellationToken) =>
        this with { CancellationToken = cancellationToken };

    public readonly CallOptions WithWriteOptions(WriteOptions writeOptions) => this with { WriteOptions = writeOptions };

    public readonly CallOptions WithPropagationToken(ContextPropagationToken propagationToken) =>
        this with { PropagationToken = propagationToken };

    public readonly CallOptions WithCredentials(CallCredentials credentials) => this with { Credentials = credentials };

    public readonly CallOptions WithWaitForReady(bool waitForReady = true) => this with { IsWaitForReady = waitForReady };
}
