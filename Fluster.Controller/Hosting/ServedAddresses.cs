using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Fluster.Controller;

/// <summary>Where this controller listens, as it turned out.</summary>
internal sealed class ServedAddresses(IServer server, IConfiguration configuration, IHostApplicationLifetime lifetime)
{
    /// <summary>Returns when the controller listens everywhere: before that the addresses below are not all known, and may be mistaken for each other.</summary>
    public async Task ListeningAsync(CancellationToken cancellationToken)
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = lifetime.ApplicationStarted.UnsafeRegister(static source => ((TaskCompletionSource)source!).TrySetResult(), started);
        await started.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Of the pages and the Connect protocol; empty when there is none.</summary>
    public string Http => Find("http");

    /// <summary>Of gRPC.</summary>
    public string Grpc => Find("grpc");

    // Kestrel opens the endpoints in the order of the configuration, and lists them in that order.
    private string Find(string name)
    {
        var addresses = server.Features.Get<IServerAddressesFeature>()?.Addresses.ToList() ?? [];
        var place = configuration.GetSection("Kestrel:Endpoints").GetChildren().Select(endpoint => endpoint.Key).ToList()
            .FindIndex(key => string.Equals(key, name, StringComparison.OrdinalIgnoreCase));
        return place >= 0 && place < addresses.Count ? addresses[place] : "";
    }
}
