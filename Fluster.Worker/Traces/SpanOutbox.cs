namespace Fluster.Worker;

/// <summary>The spans of a worker's attempts that its controller does not have yet: so many, and then the oldest are given up.</summary>
internal sealed class SpanOutbox
{
    /// <summary>Spans that wait for the controller.</summary>
    private const int Most = 20_000;

    private readonly Lock _gate = new();
    private readonly HashSet<AttemptTrace> _attempts = [];
    private readonly Queue<V1.AttemptSpan> _waiting = new();

    /// <summary>Called when there is something that should not wait. Must not wait itself.</summary>
    public Action Wake { get; set; } = static () => { };

    /// <summary>Takes what an attempt's processes tell, now and then.</summary>
    public void Add(AttemptTrace attempt)
    {
        lock (_gate)
        {
            _attempts.Add(attempt);
        }
    }

    public void Remove(AttemptTrace attempt)
    {
        lock (_gate)
        {
            _attempts.Remove(attempt);
        }

        Wake(); // whoever hears of its end may ask at once
    }

    public void Put(Fence fence, IEnumerable<V1.Span> spans)
    {
        lock (_gate)
        {
            foreach (var span in spans)
            {
                if (_waiting.Count == Most)
                {
                    _waiting.Dequeue();
                }

                _waiting.Enqueue(new V1.AttemptSpan { Fence = fence.Value, Span = span.Clone() });
            }
        }
    }

    /// <summary>Reads what the processes of all attempts have left since the last time.</summary>
    public void Collect()
    {
        AttemptTrace[] attempts;
        lock (_gate)
        {
            attempts = [.. _attempts];
        }

        foreach (var attempt in attempts)
        {
            attempt.Collect();
        }
    }

    /// <summary>The oldest that wait. They leave with <see cref="Sent"/>.</summary>
    public IReadOnlyList<V1.AttemptSpan> Next(int most)
    {
        lock (_gate)
        {
            return [.. _waiting.Take(most)];
        }
    }

    /// <summary>The controller has these.</summary>
    public void Sent(IReadOnlyList<V1.AttemptSpan> spans)
    {
        lock (_gate)
        {
            var sent = spans.ToHashSet(ReferenceEqualityComparer.Instance);
            while (_waiting.TryPeek(out var first) && sent.Contains(first))
            {
                _waiting.Dequeue();
            }
        }
    }
}
