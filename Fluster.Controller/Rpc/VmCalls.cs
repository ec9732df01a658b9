using Google.Protobuf.WellKnownTypes;

namespace Fluster.Controller;

/// <summary>The calls about machines of backends.</summary>
internal sealed class VmCalls(ClusterLoop loop, VmSources sources)
{
    public V1.ListVmsResponse List()
    {
        var state = loop.Current;
        var now = loop.Now().Time;
        var response = new V1.ListVmsResponse();
        response.Vms.AddRange(state.Vms.Ascending().Select(vm => InfoOf(state, vm)));
        response.Blocks.AddRange(state.VmBlocks.Ascending().Where(block => block.Until > now).Select(ToWire));
        return response;
    }

    private V1.VmInfo InfoOf(ClusterState state, VmRecord vm)
    {
        var info = new V1.VmInfo
        {
            VmId = vm.Id.ToString(),
            Backend = vm.Backend,
            Shape = vm.Traits.Shape,
            Zone = vm.Traits.Zone,
            State = vm.State.ToString(),
            WorkerCount = vm.Workers.Length,
            Idle = vm.IdleSince > 0,
            Detail = sources.Find(vm.Backend) is null ? $"no backend '{vm.Backend}' is configured any more: nobody can look after it" : vm.Reason,
            JobId = state.Jobs.Find(vm.ForJob)?.Id.ToString() ?? "",
            RequestedAt = Time(vm.RequestedAt),
            ReadyAt = Time(vm.ReadyAt),
            ReleasedAt = Time(vm.ReleasedAt),
        };
        info.WorkerIds.AddRange(vm.Workers.Where(uid => uid != 0).Select(uid => state.Workers.Find(uid)?.Id.ToString()).OfType<string>());
        return info;
    }

    private static V1.VmBlock ToWire(VmBlockRecord block) => new()
    {
        Backend = block.Backend,
        Scope = block.Scope,
        Kind = block.Kind.ToString(),
        Failures = block.Failures,
        Until = Time(block.UntilWall),
        Message = block.Message,
    };

    private static Timestamp? Time(long wall) => wall == 0 ? null : Timestamp.FromDateTimeOffset(DateTimeOffset.FromUnixTimeMilliseconds(wall));
}
