using V1 = Fluster.Cluster.V1;

namespace Fluster.Cli;

/// <summary>Machines of backends as a program reads them.</summary>
/// <param name="Vms">The oldest first.</param>
/// <param name="Blocked">Where none are asked for now.</param>
internal sealed record VmListView(IReadOnlyList<VmView> Vms, IReadOnlyList<VmBlockView> Blocked)
{
    public static VmListView From(V1.ListVmsResponse response) => new([.. response.Vms.Select(VmView.From)], [.. response.Blocks.Select(VmBlockView.From)]);
}

internal sealed record VmView
{
    public required string Id { get; init; }

    public required string State { get; init; }

    public required string Backend { get; init; }

    public required string Shape { get; init; }

    public required string Zone { get; init; }

    public int WorkerCount { get; init; }

    public required IReadOnlyList<string> Workers { get; init; }

    public bool Idle { get; init; }

    public required string Detail { get; init; }

    public string? Job { get; init; }

    public DateTimeOffset? RequestedAt { get; init; }

    public DateTimeOffset? ReadyAt { get; init; }

    public DateTimeOffset? ReleasedAt { get; init; }

    public static VmView From(V1.VmInfo vm) => new()
    {
        Id = vm.VmId,
        State = vm.State,
        Backend = vm.Backend,
        Shape = vm.Shape,
        Zone = vm.Zone,
        WorkerCount = vm.WorkerCount,
        Workers = [.. vm.WorkerIds],
        Idle = vm.Idle,
        Detail = vm.Detail,
        Job = vm.JobId.Length > 0 ? vm.JobId : null,
        RequestedAt = vm.RequestedAt?.ToDateTimeOffset(),
        ReadyAt = vm.ReadyAt?.ToDateTimeOffset(),
        ReleasedAt = vm.ReleasedAt?.ToDateTimeOffset(),
    };
}

internal sealed record VmBlockView(string Backend, string Scope, string Kind, int Failures, DateTimeOffset? Until, string Message)
{
    public static VmBlockView From(V1.VmBlock block) => new(block.Backend, block.Scope, block.Kind, block.Failures, block.Until?.ToDateTimeOffset(), block.Message);
}
