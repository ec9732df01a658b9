namespace Aspire.Hosting.Dashboard;

/// <summary>What a run of the AppHost has said: this one, or an earlier one as it was kept.</summary>
internal sealed record RunData(bool IsThis, ConsoleStore Consoles);
