using Google.Protobuf;

namespace Fluster.Controller;

/// <summary>Deletes blobs that no job names and that nobody has asked for within an hour: between an upload and its submit, a client has that long.</summary>
internal sealed class BlobCollector(BlobStore blobs, ClusterLoop loop, TimeProvider time)
{
    private const int MostManifest = 16 << 20;

    private static readonly TimeSpan s_untouched = TimeSpan.FromHours(1);

    /// <returns>How many were deleted, and their bytes.</returns>
    public (int Blobs, long Bytes) Collect()
    {
        // The time before the state: what is asked for from here on is not deleted, and what was committed before is named.
        var since = time.GetUtcNow() - s_untouched;
        return blobs.DeleteUnused(NamedIn(loop.Current), since);
    }

    private HashSet<string> NamedIn(ClusterState state)
    {
        var named = new HashSet<string>(StringComparer.Ordinal);
        foreach (var job in state.Jobs.Ascending())
        {
            var spec = V1.JobSpec.Parser.ParseFrom(job.Request.Span);
            AddBundle(spec.Entrypoint?.Dotnet?.Bundle, named);
            AddBundle(spec.Environment?.WorkingFiles, named);
            if (spec.Entrypoint?.Dotnet?.Invocation?.Blob is { } invocation)
            {
                named.Add(invocation.Hash);
            }
        }

        foreach (var task in state.Tasks.Ascending())
        {
            if (task.Result is { BlobHash.Length: > 0 } result)
            {
                named.Add(result.BlobHash);
            }
        }

        return named;
    }

    private void AddBundle(V1.BlobRef? manifest, HashSet<string> named)
    {
        if (manifest is null || !named.Add(manifest.Hash) || blobs.Read(manifest.Hash, MostManifest) is not { } bytes)
        {
            return;
        }

        try
        {
            named.UnionWith(V1.BundleManifest.Parser.ParseFrom(bytes).Files.Select(file => file.Blob.Hash));
        }
        catch (InvalidProtocolBufferException)
        {
            // No job could have been submitted with it.
        }
    }
}
