using Fluster.Actors;

namespace OrdersApi;

/// <summary>What is left of each article, and what it costs. One actor of the whole cluster, hosted by this service.</summary>
internal interface IStock
{
    /// <summary>Sets some articles aside; false when there are too few.</summary>
    Task<bool> TakeAsync(string article, int count);

    /// <summary>What is left of each article.</summary>
    Task<Dictionary<string, int>> LeftAsync();

    /// <summary>The price of one, in cents.</summary>
    [Idempotent]
    Task<int> PriceAsync(string article);
}

/// <summary>The articles of this shop; made by the service's container, as any other of its services.</summary>
internal sealed record Catalog(IReadOnlyDictionary<string, (int Left, int Cents)> Articles)
{
    public static Catalog Default { get; } = new(new Dictionary<string, (int, int)>(StringComparer.Ordinal)
    {
        ["tea"] = (10, 450),
        ["coffee"] = (5, 890),
    });
}

/// <summary>Calls come one at a time, so nothing here needs a lock.</summary>
[Actor("stock")]
internal sealed class Stock(Catalog catalog) : IStock
{
    private readonly Dictionary<string, int> _left = catalog.Articles.ToDictionary(article => article.Key, article => article.Value.Left, StringComparer.Ordinal);

    public Task<bool> TakeAsync(string article, int count)
    {
        if (_left.GetValueOrDefault(article) < count)
        {
            return Task.FromResult(false);
        }

        _left[article] -= count;
        return Task.FromResult(true);
    }

    public Task<Dictionary<string, int>> LeftAsync() => Task.FromResult(new Dictionary<string, int>(_left, StringComparer.Ordinal));

    public Task<int> PriceAsync(string article) => Task.FromResult(catalog.Articles[article].Cents);
}
