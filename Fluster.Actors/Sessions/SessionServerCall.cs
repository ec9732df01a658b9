namespace Fluster.Actors;

/// <summary>A call that came over a session.</summary>
internal sealed class SessionServerCall(ServerSession session, ServerConnection connection, int slot, ulong sequence) : ActorServerCall
{
    private CreditWindow? _credit;

    public int Slot { get; } = slot;

    /// <summary>How far the items of a stream may be ahead; null for other calls.</summary>
    public CreditWindow? Credit => _credit ??= IsStream ? new CreditWindow() : null;

    public bool IsStream => Method?.IsStream ?? false;

    /// <summary>What it takes of the room for messages that arrive.</summary>
    public long Reserved { get; init; }

    /// <summary>Nobody waits for it any more.</summary>
    public void Abandon()
    {
        Credit?.Close();
        if (!TryRefuse(CallFailure.Of(ActorErrorKind.Cancelled, "Nobody waits for it any more.")))
        {
            Cancel();
        }
    }

    private protected override void Complete()
    {
        connection.Host.Unreserve(Reserved);
        session.Complete(this);
    }

    private protected override bool TrySendItem(PayloadWriter item)
    {
        // A long item is sent alone: what came after it in the stream would overtake it.
        if (item.Size > ItemReceiver.MostBytes / 32 || !Credit!.TryTake((int)item.Size))
        {
            return false;
        }

        connection.Output.Append(FrameType.Item, Slot, sequence, default, item);
        connection.Output.Send(now: false);
        PayloadPool.Return(item);
        return true;
    }

    private protected override async ValueTask SendItemAsync(PayloadWriter item)
    {
        await Credit!.TakeAsync((int)Math.Min(item.Size, int.MaxValue), CancellationToken).ConfigureAwait(false);
        var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var large = connection.Output.Append(FrameType.Item, Slot, sequence, default, item, sent.SetResult);
        connection.Output.Send(now: false);
        if (large is not null)
        {
            await sent.Task.WaitAsync(CancellationToken).ConfigureAwait(false); // given up when the caller does
        }

        PayloadPool.Return(item);
    }
}
