namespace Fluster.Controller;

/// <summary>
/// Wakes whoever waits for the next change of something: take <see cref="Next"/>, look, and wait for what you took. What changes
/// between the look and the wait is not missed.
/// </summary>
internal sealed class Pulse
{
    private TaskCompletionSource? _next;

    /// <summary>Ends at the next <see cref="Fire"/>.</summary>
    public Task Next
    {
        get
        {
            var next = Volatile.Read(ref _next);
            if (next is null)
            {
                var created = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                next = Interlocked.CompareExchange(ref _next, created, null) ?? created;
            }

            return next.Task;
        }
    }

    /// <summary>Wakes all who wait. Costs nothing when nobody does.</summary>
    public void Fire() => Interlocked.Exchange(ref _next, null)?.TrySetResult();
}
