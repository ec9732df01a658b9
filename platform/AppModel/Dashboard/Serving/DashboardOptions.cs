using Microsoft.Extensions.Configuration;

namespace Aspire.Hosting.Dashboard;

/// <summary>How the dashboard is served: by the settings that Aspire reads, too.</summary>
internal sealed record DashboardOptions
{
    /// <summary>No dashboard.</summary>
    public static DashboardOptions Off { get; } = new() { IsServed = false };

    public bool IsServed { get; init; } = true;

    /// <summary>Where it listens, from applicationUrl of the launch profile (<c>ASPNETCORE_URLS</c>). Default: a free port of the loopback address.</summary>
    public IReadOnlyList<string> Addresses { get; init; } = [];

    /// <summary>Where it takes telemetry, besides its own address.</summary>
    public string? OtlpAddress { get; init; }

    /// <summary>What to log in with. Default: a random one, kept with the AppHost's data.</summary>
    public string? BrowserToken { get; init; }

    /// <summary>What whoever sends telemetry has to know. Default: a random one, kept with the AppHost's data.</summary>
    public string? OtlpApiKey { get; init; }

    /// <summary>Nobody has to log in.</summary>
    public bool AllowsAnonymous { get; init; }

    /// <summary>Plain http also on addresses that other machines can reach.</summary>
    public bool AllowsUnsecuredTransport { get; init; }

    /// <summary>Where AppHosts keep what is to be there after a restart.</summary>
    public string Home { get; init; } = "";

    public static DashboardOptions From(DistributedApplicationOptions options, IConfiguration configuration)
    {
        if (options.DisableDashboard)
        {
            return Off;
        }

        return new DashboardOptions
        {
            Addresses = (configuration["ASPNETCORE_URLS"] ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries),
            OtlpAddress = NotEmpty(configuration["ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL"]),
            BrowserToken = NotEmpty(configuration["ASPIRE_DASHBOARD_FRONTEND_BROWSERTOKEN"] ?? configuration["AppHost:BrowserToken"]),
            OtlpApiKey = NotEmpty(configuration["AppHost:OtlpApiKey"]),
            AllowsAnonymous = IsTrue(configuration["ASPIRE_DASHBOARD_UNSECURED_ALLOW_ANONYMOUS"]),
            AllowsUnsecuredTransport = options.AllowUnsecuredTransport || IsTrue(configuration["ASPIRE_ALLOW_UNSECURED_TRANSPORT"]),
            Home = NotEmpty(configuration["ASPIRE_HOME"])
                ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify), ".aspire"),
        };
    }

    private static string? NotEmpty(string? text) => string.IsNullOrWhiteSpace(text) ? null : text;

    private static bool IsTrue(string? text) => text == "1" || (bool.TryParse(text, out var flag) && flag);
}
