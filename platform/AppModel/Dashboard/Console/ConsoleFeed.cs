namespace Aspire.Hosting.Dashboard;

/// <summary>Takes every line of every console, while a dashboard is there to show them.</summary>
internal sealed class ConsoleFeed(DashboardOptions options, TimeProvider time)
{
    public ConsoleStore Store { get; } = new();

    /// <summary>Told of each line, once somebody keeps them on disk too.</summary>
    public Action<ConsoleEntry>? OnEntry { get; set; }

    public void Append(string source, string line, bool isError)
    {
        if (options.IsServed)
        {
            OnEntry?.Invoke(Store.Append(time.GetUtcNow(), source, line, isError));
        }
    }
}
