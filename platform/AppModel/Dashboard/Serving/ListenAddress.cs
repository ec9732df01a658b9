using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Hosting;

namespace Aspire.Hosting.Dashboard;

/// <summary>An address to listen on, as applicationUrl has it.</summary>
internal sealed record ListenAddress(string Scheme, string Host, int Port)
{
    private static readonly string[] s_everywhere = ["*", "+", "0.0.0.0", "[::]"];

    public static ListenAddress Free { get; } = new("http", "127.0.0.1", 0);

    public bool IsHttps => Scheme == "https";

    public bool IsLoopback => Host == "localhost" || (IPAddress.TryParse(Host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip));

    /// <exception cref="DistributedApplicationException">It is none.</exception>
    public static ListenAddress Parse(string text)
    {
        var everywhere = text.Replace("://*", "://0.0.0.0", StringComparison.Ordinal).Replace("://+", "://0.0.0.0", StringComparison.Ordinal);
        return Uri.TryCreate(everywhere, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            ? new ListenAddress(uri.Scheme, uri.Host, uri.Port)
            : throw new DistributedApplicationException($"'{text}' is not an address for the dashboard. Give one like http://localhost:15888 as applicationUrl or in ASPNETCORE_URLS.");
    }

    public void Apply(KestrelServerOptions kestrel)
    {
        if (s_everywhere.Contains(Host))
        {
            kestrel.ListenAnyIP(Port, Configure);
        }
        else if (IPAddress.TryParse(Host.Trim('[', ']'), out var ip))
        {
            kestrel.Listen(ip, Port, Configure);
        }
        else if (Port == 0)
        {
            kestrel.Listen(IPAddress.Loopback, 0, Configure); // Both loopback addresses cannot be given one free port.
        }
        else
        {
            kestrel.ListenLocalhost(Port, Configure);
        }
    }

    public override string ToString() => $"{Scheme}://{Host}:{Port}";

    private void Configure(ListenOptions listen)
    {
        listen.Protocols = HttpProtocols.Http1;
        if (IsHttps)
        {
            listen.UseHttps();
        }
    }
}
