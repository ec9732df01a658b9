namespace Fluster.Controller;

/// <summary>A cluster whose directory is locked and whose state was read, under a new epoch that is already on the disk.</summary>
internal sealed class OpenedCluster : IDisposable
{
    private OpenedCluster(DataDirectory directory, ClusterStore store, ClusterState state)
    {
        Directory = directory;
        Store = store;
        State = state;
    }

    public DataDirectory Directory { get; }

    public ClusterStore Store { get; }

    public ClusterState State { get; }

    /// <exception cref="StoreException">The directory is held by another controller, or its database cannot be used.</exception>
    public static OpenedCluster Open(string path)
    {
        var directory = DataDirectory.Open(path);
        ClusterStore? store = null;
        try
        {
            store = ClusterStore.Open(directory.DatabasePath);
            var state = store.Load() ?? new ClusterState { Meta = new ClusterMeta { ClusterId = Guid.NewGuid().ToString("N"), Epoch = 0 } };

            state = state.AtNextStart();
            store.Commit(new Batch(), state.Meta, _ => false);
            return new OpenedCluster(directory, store, state);
        }
        catch
        {
            store?.Dispose();
            directory.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Store.Dispose();
        Directory.Dispose();
    }
}
