using Fluster.Store.V1;
using Google.Protobuf;

namespace Fluster.Controller;

/// <summary>Machines as rows and back.</summary>
internal static class VmRows
{
    public static void Write(IReadOnlyDictionary<string, SqliteTable> tables, Batch batch)
    {
        foreach (var (uid, vm) in batch.Vms)
        {
            if (vm is null)
            {
                tables["vms"].Delete(uid);
            }
            else
            {
                tables["vms"].Put(uid, ToRow(vm));
            }
        }

        foreach (var (uid, block) in batch.VmBlocks)
        {
            if (block is null)
            {
                tables["vm_blocks"].Delete(uid);
            }
            else
            {
                tables["vm_blocks"].Put(uid, ToRow(block));
            }
        }
    }

    public static VmRow ToRow(VmRecord vm)
    {
        var row = new VmRow
        {
            Id = vm.Id.ToString(),
            RequestId = ByteString.CopyFrom(vm.RequestId.ToByteArray()),
            Backend = vm.Backend,
            Shape = vm.Traits.Shape,
            Zone = vm.Traits.Zone,
            Region = vm.Traits.Region,
            Capacity = Rows.ToRow(vm.Traits.Capacity),
            State = (int)vm.State,
            RequestedTime = vm.RequestedTime,
            BootDue = vm.BootDue,
            IdleFor = vm.IdleFor,
            IdleSince = vm.IdleSince,
            Reason = vm.Reason,
            ForJob = vm.ForJob,
            RequestedAt = vm.RequestedAt,
            ReadyAt = vm.ReadyAt,
            ReleasedAt = vm.ReleasedAt,
        };
        row.Scopes.AddRange(vm.Traits.Scopes);
        row.Workers.AddRange(vm.Workers);
        return row;
    }

    public static VmRecord ToRecord(long uid, VmRow row) => new()
    {
        Uid = uid,
        Id = VmId.Parse(row.Id),
        RequestId = new Guid(row.RequestId.Span),
        Backend = row.Backend,
        Traits = new VmTraits
        {
            Shape = row.Shape,
            Zone = row.Zone,
            Region = row.Region,
            Capacity = Rows.ToRecord(row.Capacity),
            Scopes = [.. row.Scopes],
        },
        State = (VmState)row.State,
        Workers = [.. row.Workers],
        RequestedTime = row.RequestedTime,
        BootDue = row.BootDue,
        IdleFor = row.IdleFor,
        IdleSince = row.IdleSince,
        Reason = row.Reason,
        ForJob = row.ForJob,
        RequestedAt = row.RequestedAt,
        ReadyAt = row.ReadyAt,
        ReleasedAt = row.ReleasedAt,
    };

    public static VmBlockRow ToRow(VmBlockRecord block) => new()
    {
        Backend = block.Backend,
        Scope = block.Scope,
        Kind = (int)block.Kind,
        Failures = block.Failures,
        Until = block.Until,
        UntilWall = block.UntilWall,
        Message = block.Message,
    };

    public static VmBlockRecord ToRecord(long uid, VmBlockRow row) => new()
    {
        Uid = uid,
        Backend = row.Backend,
        Scope = row.Scope,
        Kind = (VmFailureKind)row.Kind,
        Failures = row.Failures,
        Until = row.Until,
        UntilWall = row.UntilWall,
        Message = row.Message,
    };
}
