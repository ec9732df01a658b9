using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>One item of a pool's work, from when it was submitted until its one result is delivered.</summary>
internal abstract class WorkItem
{
    /// <summary>The call to make, or the argument of <see cref="Function"/>.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>What is called with the payload; null when the payload is the whole call.</summary>
    public WorkFunction? Function { get; init; }

    /// <summary>For people.</summary>
    public required string Display { get; init; }

    /// <summary>Workers that died while they had it and may have been running it.</summary>
    public int Deaths { get; set; }

    /// <summary>It may have to do with the death of a worker: it runs alone on the next, so that what becomes of that one says something.</summary>
    public bool IsSuspect { get; set; }

    /// <summary>Whether nobody waits for a result any more: there is one, or it was given up.</summary>
    public abstract bool IsDone { get; }

    /// <summary>Delivers the result. Only the first one counts.</summary>
    /// <param name="json">What was returned; empty for nothing.</param>
    public abstract void Complete(ReadOnlySpan<byte> json);

    /// <summary>Delivers why there is no result.</summary>
    public abstract void Fail(Exception exception);

    /// <summary>Nobody wants it any more.</summary>
    public abstract void Cancel(CancellationToken cancellationToken);
}

/// <summary>An item whose result is a <typeparamref name="T"/>.</summary>
internal sealed class WorkItem<T> : WorkItem
{
    private readonly TaskCompletionSource<T> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<T> Result => _result.Task;

    public override bool IsDone => _result.Task.IsCompleted;

    public override void Complete(ReadOnlySpan<byte> json)
    {
        try
        {
            _result.TrySetResult(json.IsEmpty ? default! : PayloadJson.Read<T>(json));
        }
        catch (Exception exception) when (exception is System.Text.Json.JsonException or InvalidOperationException or FormatException or NotSupportedException)
        {
            _result.TrySetException(new InvalidOperationException($"The result of {Display} is not a {typeof(T).Name}: {exception.Message}", exception));
        }
    }

    public override void Fail(Exception exception) => _result.TrySetException(exception);

    public override void Cancel(CancellationToken cancellationToken) => _result.TrySetCanceled(cancellationToken);
}

/// <summary>A method that is called for many items: it is sent to each worker once.</summary>
/// <param name="Id">Its number in the pool.</param>
/// <param name="Call">The call without its last argument.</param>
internal sealed record WorkFunction(int Id, byte[] Call);
