using System.Diagnostics.CodeAnalysis;

namespace Fluster.Cluster;

/// <summary>
/// Names one job: <c>name-1a2b3c4d</c> for a root job, <c>parent/name</c> for a child, at most <see cref="MaxDepth"/> parts.
/// Unique in a cluster and never given twice.
/// </summary>
public readonly record struct JobId
{
    /// <summary>The most parts that an id can have.</summary>
    public const int MaxDepth = 8;

    private const int SuffixLength = 9; // "-1a2b3c4d"

    private readonly string? _value;

    private JobId(string value) => _value = value;

    /// <summary>The id of the job that submitted this one; null for a root job.</summary>
    public JobId? Parent => Value.LastIndexOf('/') is var slash and > 0 ? new JobId(Value[..slash]) : null;

    /// <summary>The last part of the id: the job's name, with the suffix that made it unique.</summary>
    public string LastPart => Value[(Value.LastIndexOf('/') + 1)..];

    /// <summary>The number of parts: 1 for a root job.</summary>
    public int Depth => Value.AsSpan().Count('/') + 1;

    private string Value => _value ?? throw new InvalidOperationException("default(JobId) names no job.");

    /// <summary>Reads a job id that came from outside: an RPC, an environment variable, a file.</summary>
    /// <exception cref="FormatException"><paramref name="text"/> is not a job id; the message says why.</exception>
    public static JobId Parse(string text) => TryParse(text, out var id)
        ? id
        : throw new FormatException($"'{text}' is not a job id: ids look like 'name-1a2b3c4d' or 'name-1a2b3c4d/child', at most {MaxDepth} parts.");

    /// <summary>Reads a job id; false when <paramref name="text"/> is not one.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out JobId id)
    {
        id = default;
        if (string.IsNullOrEmpty(text))
        {
            return false;
        }

        var parts = text.Split('/');
        if (parts.Length > MaxDepth || !parts.All(IsPart))
        {
            return false;
        }

        id = new JobId(text);
        return true;
    }

    /// <summary>The id of a child of this job.</summary>
    /// <exception cref="FormatException">The name is not a job name, or the id would be too deep.</exception>
    public JobId Child(string name) => Parse($"{Value}/{name}");

    /// <summary>Whether this is <paramref name="ancestor"/> or below it. Respects part boundaries: <c>a/bc</c> is not below <c>a/b</c>.</summary>
    public bool IsWithin(JobId ancestor) =>
        Value.StartsWith(ancestor.Value, StringComparison.Ordinal)
        && (Value.Length == ancestor.Value.Length || Value[ancestor.Value.Length] == '/');

    /// <inheritdoc/>
    public override string ToString() => Value;

    // A root's part carries the name and "-1a2b3c4d"; a later child of the same name carries "~2", "~3", ...
    private static bool IsPart(string part)
    {
        var tilde = part.IndexOf('~', StringComparison.Ordinal);
        var name = tilde < 0 ? part : part[..tilde];
        return JobName.IsValid(name, JobName.MaxLength + SuffixLength)
            && (tilde < 0 || part.Length > tilde + 1 && part[tilde + 1] is >= '1' and <= '9' && int.TryParse(part.AsSpan(tilde + 1), out var ordinal) && ordinal >= 2);
    }
}
