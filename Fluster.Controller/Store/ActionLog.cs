namespace Fluster.Controller;

/// <summary>The newest actions, numbered from the first one that the cluster ever had. The store keeps them over restarts.</summary>
internal sealed class ActionLog : ICommitListener
{
    /// <summary>Actions that are kept (seed 001).</summary>
    public const int Kept = 10_000;

    private readonly ActionRecord?[] _ring = new ActionRecord?[Kept];
    private readonly Lock _gate = new();
    private long _last;

    public ActionLog(OpenedCluster opened)
        : this(opened.Store.Actions, opened.Store.LastAction)
    {
    }

    /// <param name="actions">The newest ones, oldest first.</param>
    /// <param name="last">The number of the last one.</param>
    internal ActionLog(IReadOnlyList<ActionRecord> actions, long last)
    {
        _last = last - actions.Count;
        Append(actions);
    }

    public void OnCommitted(ClusterState state, Batch batch)
    {
        if (batch.Actions.Count > 0)
        {
            lock (_gate)
            {
                Append(batch.Actions);
            }
        }
    }

    /// <summary>Actions before a number, newest first.</summary>
    /// <param name="before">Only those with a lower number.</param>
    /// <param name="most">So many at most.</param>
    /// <param name="matches">Only these.</param>
    public IReadOnlyList<(long Number, ActionRecord Action)> Read(long before, int most, Func<ActionRecord, bool> matches)
    {
        var found = new List<(long, ActionRecord)>();
        lock (_gate)
        {
            for (var number = Math.Min(before - 1, _last); number > 0 && number > _last - Kept && found.Count < most; number--)
            {
                if (_ring[number % Kept] is { } action && matches(action))
                {
                    found.Add((number, action));
                }
            }
        }

        return found;
    }

    private void Append(IReadOnlyList<ActionRecord> actions)
    {
        foreach (var action in actions)
        {
            _ring[++_last % Kept] = action;
        }
    }
}
