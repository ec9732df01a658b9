namespace Fluster.Controller;

/// <summary>What the backends offer for a need, remembered: backends look it up in tables, and the same needs come again and again. Belongs to one thread.</summary>
internal sealed class VmOffers(IReadOnlyList<VmSource> sources)
{
    private const int MostRemembered = 1_000;

    private readonly Dictionary<(string Source, ResourceShape Shape), IReadOnlyList<VmOffer>> _known = [];

    public IReadOnlyList<VmSource> Sources => sources;

    /// <summary>The machines of a source on which a task of this shape could run, the best first.</summary>
    /// <param name="source">The source.</param>
    /// <param name="shape">What the task needs.</param>
    /// <param name="sliceSize">Workers that the machine must have.</param>
    public IEnumerable<VmOffer> Of(VmSource source, ResourceShape shape, int sliceSize)
    {
        if (!_known.TryGetValue((source.Name, shape), out var offers))
        {
            if (_known.Count >= MostRemembered)
            {
                _known.Clear();
            }

            _known[(source.Name, shape)] = offers = source.Backend.Offers(ShapeText.ToSpec(shape));
        }

        // An offer on which the task could not run after all would be asked for again and again.
        return offers.Where(offer =>
            offer.Workers == sliceSize
            && new WorkerRecord { Uid = 0, Id = default, Incarnation = 0, Traits = source.TraitsOf(VmSource.TraitsOf(offer)) }.CouldEverHold(shape));
    }

    /// <summary>The block that keeps an offer from being asked for longest; null: none.</summary>
    public static VmBlockRecord? BlockOf(ClusterState state, VmSource source, VmOffer offer, long now) => state.VmBlocks.Ascending()
        .Where(block => block.Until > now && block.Backend == source.Name && offer.Scopes.Contains(block.Scope, StringComparer.Ordinal))
        .MaxBy(block => block.Until);
}
