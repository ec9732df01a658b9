using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>The token that calls carry, as it is at the time of asking: that of a job is renewed while it runs.</summary>
internal static class CallerToken
{
    /// <summary>The one that is given; without one that of the job in which this is called.</summary>
    public static Func<string?> Of(string? given) => given is null ? OfJob() : () => given;

    /// <summary>The resolver's; when it has none, that of the job in which this is called.</summary>
    public static Func<string?> Of(IActorResolver resolver)
    {
        var ofJob = OfJob();
        return () => resolver.Token ?? ofJob();
    }

    // What the process was started with is the oldest: its client has what came after it.
    private static Func<string?> OfJob()
    {
        var client = FlusterContext.CurrentOrNull?.Controller as FlusterClient;
        return () => client?.Token ?? FlusterEnvironment.Get(FlusterEnvironment.Token);
    }
}
