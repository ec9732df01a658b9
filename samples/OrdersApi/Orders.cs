using Fluster.Actors;
using Fluster.Cluster;

namespace OrdersApi;

/// <summary>What a customer wants.</summary>
internal sealed record Order(string Article, int Count);

/// <summary>What they owe, as the job that made it out says.</summary>
internal sealed record Invoice(string Article, int Count, int Cents, string MadeBy);

/// <summary>The job of an order. It runs on a worker, with this program's files, and calls back into the service.</summary>
internal static class Billing
{
    public static async Task<Invoice> BillAsync(Order order)
    {
        using var stock = new ActorClient<IStock>(FlusterContext.Current.Resolver, "stock");
        var cents = await stock.Actor.PriceAsync(order.Article);
        return new Invoice(order.Article, order.Count, order.Count * cents, FlusterContext.Current.JobId.ToString());
    }
}
