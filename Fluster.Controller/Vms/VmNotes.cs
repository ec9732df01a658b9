using System.Diagnostics;

namespace Fluster.Controller;

/// <summary>Says of a job that waits which machines are being made for it, or why none is. Names what a user may know: places and times, not a backend's own words.</summary>
/// <param name="offers">The backends.</param>
internal sealed class VmNotes(VmOffers offers)
{
    /// <summary>One sentence; null: there are no backends.</summary>
    public string? Of(ClusterState state, JobRecord job, long now)
    {
        if (offers.Sources.Count == 0)
        {
            return null;
        }

        var (shape, size) = (job.Terms.Shape, job.Terms.SliceSize);
        var coming = state.Vms.Ascending()
            .Where(vm => vm.IsComing && offers.Sources.FirstOrDefault(source => source.Name == vm.Backend) is { } source
                && new ComingVm(vm.Id, source.TraitsOf(vm.Traits), vm.Workers.Length).CouldHold(shape, size))
            .Select(vm => $"{vm.Id} ({vm.Traits.Text})")
            .ToList();
        if (coming.Count > 0)
        {
            return $"{(coming.Count == 1 ? "A machine that could hold it is" : $"{coming.Count} machines that could hold it are")} being made: {ShapeText.List(coming)}.";
        }

        var reasons = offers.Sources.Select(source => WhyNot(state, source, shape, size, now)).ToList();
        return reasons.Contains(null) ? "A machine is about to be asked for." : $"No machine is made for it: {string.Join("; ", reasons)}.";
    }

    public static string Kind(VmFailureKind kind) => kind switch
    {
        VmFailureKind.Stockout => "stock-out",
        VmFailureKind.Quota => "the quota is used up",
        VmFailureKind.RateLimited => "too many requests",
        VmFailureKind.Permission => "not permitted",
        VmFailureKind.Invalid => "refused as wrong",
        VmFailureKind.Transient => "the cloud is not well",
        VmFailureKind.Preempted => "taken away at once",
        VmFailureKind.NameTaken => "the name was taken",
        VmFailureKind.Unknown => "the last one failed",
        _ => throw new UnreachableException($"{kind} is not a kind."),
    };

    /// <summary>Null: nothing is in the way.</summary>
    private string? WhyNot(ClusterState state, VmSource source, ResourceShape shape, int size, long now)
    {
        var possible = offers.Of(source, shape, size).ToList();
        if (possible.Count == 0)
        {
            return shape.Container && !source.Containers ? $"machines of {source.Name} have no container engine" : $"{source.Name} has none with {ShapeText.Of(shape)}";
        }

        if (state.Vms.Ascending().Count(vm => vm.Backend == source.Name) >= source.Max)
        {
            return $"{source.Name} has the {source.Max} machines that it may have";
        }

        var blocks = possible.Select(offer => VmOffers.BlockOf(state, source, offer, now)).ToList();
        return blocks.Contains(null) ? null : ShapeText.List([.. blocks.Distinct().Select(block => Text(block!))]);
    }

    private static string Text(VmBlockRecord block) =>
        $"{Kind(block.Kind)} in {(block.Scope.Length > 0 ? block.Scope : block.Backend)} until {DateTimeOffset.FromUnixTimeMilliseconds(block.UntilWall):HH:mm:ss} UTC";
}
