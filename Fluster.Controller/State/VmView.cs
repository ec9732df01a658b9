namespace Fluster.Controller;

/// <summary>The machines as the writer sees them: part of <see cref="ClusterView"/>, with the indices that the rules need. Belongs to one thread.</summary>
/// <param name="moveDue">Moves an entry of what is due.</param>
internal sealed class VmView(Action<DueEntry?, DueEntry?> moveDue)
{
    private readonly Dictionary<VmId, long> _byId = [];
    private readonly Dictionary<string, int> _counts = new(StringComparer.Ordinal);
    private readonly SortedDictionary<long, VmBlockRecord> _blocks = [];
    private RadixMap<VmRecord>.Builder _vms = RadixMap<VmRecord>.Empty.ToBuilder();
    private RadixMap<VmBlockRecord>.Builder _blockMap = RadixMap<VmBlockRecord>.Empty.ToBuilder();

    public IEnumerable<VmBlockRecord> Blocks => _blocks.Values;

    public VmRecord? Find(long uid) => _vms.Find(uid);

    public long Find(VmId id) => _byId.GetValueOrDefault(id);

    public int CountOf(string backend) => _counts.GetValueOrDefault(backend);

    public VmBlockRecord? Block(long uid) => _blocks.GetValueOrDefault(uid);

    public RadixMap<VmRecord> ToImmutable() => _vms.ToImmutable();

    public RadixMap<VmBlockRecord> ToImmutableBlocks() => _blockMap.ToImmutable();

    public void Fold(ClusterChanges changes)
    {
        foreach (var (uid, vm) in changes.Vms.Records)
        {
            Set(_vms.Find(uid), vm);
            _vms.Set(uid, vm);
        }

        foreach (var vm in changes.RemovedVms)
        {
            moveDue(DueOf(_vms.Find(vm.Uid)), null);
            _vms.Remove(vm.Uid);
            _byId.Remove(vm.Id);
            _counts[vm.Backend]--;
        }

        foreach (var block in changes.RemovedVmBlocks)
        {
            moveDue(DueOf(_blocks.GetValueOrDefault(block.Uid)), null);
            _blocks.Remove(block.Uid);
            _blockMap.Remove(block.Uid);
        }

        foreach (var (uid, block) in changes.VmBlocks.Records)
        {
            moveDue(DueOf(_blocks.GetValueOrDefault(uid)), DueOf(block));
            _blocks[uid] = block;
            _blockMap.Set(uid, block);
        }
    }

    /// <summary>Begins with a state; whoever calls has forgotten all that was due.</summary>
    public void Reset(ClusterState state)
    {
        _byId.Clear();
        _counts.Clear();
        _blocks.Clear();
        _vms = state.Vms.ToBuilder();
        _blockMap = state.VmBlocks.ToBuilder();
        foreach (var vm in state.Vms.Ascending())
        {
            Set(null, vm);
        }

        foreach (var block in state.VmBlocks.Ascending())
        {
            moveDue(null, DueOf(block));
            _blocks[block.Uid] = block;
        }
    }

    private void Set(VmRecord? before, VmRecord vm)
    {
        moveDue(DueOf(before), DueOf(vm));
        if (before is null)
        {
            _byId[vm.Id] = vm.Uid;
            _counts[vm.Backend] = _counts.GetValueOrDefault(vm.Backend) + 1;
        }
    }

    private static DueEntry? DueOf(VmRecord? vm) => vm is { BootDue: > 0 } ? new DueEntry(vm.BootDue, DueKind.VmBoot, vm.Uid) : null;

    private static DueEntry? DueOf(VmBlockRecord? block) => block is null ? null : new DueEntry(block.ForgetDue, DueKind.VmBlockForgotten, block.Uid);
}
