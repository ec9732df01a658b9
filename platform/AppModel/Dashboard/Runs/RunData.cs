namespace Aspire.Hosting.Dashboard;

/// <summary>What a run of the AppHost has said: this one, or an earlier one as it was kept.</summary>
/// <param name="Id">The earlier run; empty for this one.</param>
/// <param name="Consoles">What its resources have printed.</param>
/// <param name="Telemetry">What its resources have sent.</param>
internal sealed record RunData(string Id, ConsoleStore Consoles, TelemetryStore Telemetry)
{
    public bool IsThis => Id.Length == 0;
}
