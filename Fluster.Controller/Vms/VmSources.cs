namespace Fluster.Controller;

/// <summary>The backends of the configuration, the first to be asked first.</summary>
internal sealed class VmSources(IReadOnlyList<VmSource> sources)
{
    public IReadOnlyList<VmSource> All => sources;

    public bool IsEmpty => sources.Count == 0;

    public VmSource? Find(string name) => sources.FirstOrDefault(source => source.Name == name);
}
