using System.Collections.Concurrent;
using Google.Protobuf;

namespace Fluster.Controller;

/// <summary>Finds out whether everything that a job names is here. Bundles that were found whole are remembered for some minutes.</summary>
internal sealed class BlobChecks(BlobStore blobs, TimeProvider time)
{
    private const int MostManifest = 16 << 20;
    private const int MostNamed = 5;
    private const long MostBundle = 1L << 30;

    /// <summary>How long a bundle counts as whole without a look. Each look keeps its blobs for an hour, which is much longer.</summary>
    private static readonly TimeSpan s_remembered = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<string, long> _whole = new(StringComparer.Ordinal);

    /// <summary>What is wrong with the blobs of a job, as a sentence; null when nothing is.</summary>
    /// <param name="spec">The job.</param>
    /// <param name="missing">Whether the reason is that blobs are not here, which uploading them mends.</param>
    public string? Problem(V1.JobSpec spec, out bool missing)
    {
        var lacking = new List<string>();
        var problem = BundleProblem(spec.Entrypoint.Dotnet?.Bundle, lacking) ?? BundleProblem(spec.Environment.WorkingFiles, lacking);
        if (spec.Entrypoint.Dotnet?.Invocation?.Blob is { } invocation && blobs.Size(invocation.Hash) != invocation.Size)
        {
            lacking.Add(invocation.Hash);
        }

        missing = problem is null && lacking.Count > 0;
        return missing
            ? $"{lacking.Count} blobs of the job are not here: {string.Join(", ", lacking.Take(MostNamed))}{(lacking.Count > MostNamed ? ", ..." : "")}. Upload them first."
            : problem;
    }

    private string? BundleProblem(V1.BlobRef? reference, List<string> lacking)
    {
        if (reference is null || _whole.TryGetValue(reference.Hash, out var seen) && time.GetElapsedTime(seen) < s_remembered)
        {
            return null;
        }

        var looked = time.GetTimestamp();
        if (blobs.Read(reference.Hash, MostManifest) is not { } bytes)
        {
            lacking.Add(reference.Hash);
            return null;
        }

        V1.BundleManifest manifest;
        try
        {
            manifest = V1.BundleManifest.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException)
        {
            return $"Blob {reference.Hash} is not the manifest of a bundle.";
        }

        if (PathProblem(manifest) is { } problem)
        {
            return problem;
        }

        var size = manifest.Files.Sum(file => file.Blob.Size);
        if (size > MostBundle)
        {
            return $"The bundle has {size:N0} bytes; {MostBundle:N0} (1 GiB) are allowed.";
        }

        var before = lacking.Count;
        lacking.AddRange(manifest.Files.Where(file => blobs.Size(file.Blob.Hash) != file.Blob.Size).Select(file => file.Blob.Hash).Distinct(StringComparer.Ordinal));
        if (lacking.Count == before)
        {
            _whole[reference.Hash] = looked;
        }

        return null;
    }

    private static string? PathProblem(V1.BundleManifest manifest)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var file in manifest.Files)
        {
            var parts = file.Path.Split('/');
            if (file.Path.Length > 4096 || file.Path.AsSpan().ContainsAny('\\', '\0') || parts.Any(part => part is "" or "." or ".."))
            {
                return $"'{file.Path}' is not a path inside a bundle.";
            }

            if (!seen.Add(file.Path))
            {
                return $"The bundle has '{file.Path}' twice.";
            }

            if (file.Blob is null || !BlobStore.IsHash(file.Blob.Hash) || file.Blob.Size < 0)
            {
                return $"The bundle's file '{file.Path}' names no blob.";
            }
        }

        return null;
    }
}
