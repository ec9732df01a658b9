namespace Aspire.Hosting.Dashboard;

/// <summary>Takes every line of every console, while a dashboard is there to show them.</summary>
internal sealed class ConsoleFeed(DashboardOptions options, TimeProvider time)
{
    private readonly Lock _lock = new();
    private Action<ConsoleEntry>? _keep;

    public ConsoleStore Store { get; } = new();

    public void Append(string source, string line, bool isError)
    {
        if (options.IsServed)
        {
            lock (_lock)
            {
                var entry = Store.Append(time.GetUtcNow(), source, line, isError);
                _keep?.Invoke(entry);
            }
        }
    }

    /// <summary>Gives somebody who keeps them the lines so far, and from now on each new one.</summary>
    public void BeginKeeping(Action<ConsoleEntry> keep)
    {
        lock (_lock)
        {
            foreach (var entry in Store.Read(sources: null, search: "", after: 0, int.MaxValue).Entries)
            {
                keep(entry);
            }

            _keep = keep;
        }
    }
}
