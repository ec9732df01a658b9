namespace Fluster.Controller;

/// <summary>Where the loop writes. The database is one; a simulated disk, or none at all, are others.</summary>
internal interface IBatchStore
{
    /// <summary>Writes a batch as a whole. When this returns, it is on the disk. Called by the loop's thread only.</summary>
    /// <param name="batch">What changed.</param>
    /// <param name="meta">What there is one of, as it is after the batch.</param>
    /// <param name="isNew">Whether a job was not written before.</param>
    /// <exception cref="StoreFullException">There is no room; nothing was written.</exception>
    /// <exception cref="StoreException">Anything else. What is on the disk is unknown.</exception>
    void Commit(Batch batch, ClusterMeta meta, Func<long, bool> isNew);
}
