namespace Fluster.Cluster;

/// <summary>Finds what somebody may have meant.</summary>
internal static class NearNames
{
    /// <summary>The candidates that need the fewest changed, added or removed characters, nearest first.</summary>
    public static IReadOnlyList<string> Of(string text, IEnumerable<string> candidates, int count) =>
    [
        .. candidates
            .Select(name => (name, distance: Distance(text.ToUpperInvariant(), name.ToUpperInvariant())))
            .OrderBy(candidate => candidate.distance)
            .ThenBy(candidate => candidate.name, StringComparer.Ordinal)
            .Take(count)
            .Select(candidate => candidate.name),
    ];

    /// <summary>The edit distance of two texts (Levenshtein).</summary>
    public static int Distance(ReadOnlySpan<char> left, ReadOnlySpan<char> right)
    {
        var row = new int[right.Length + 1];
        for (var column = 0; column < row.Length; column++)
        {
            row[column] = column;
        }

        for (var i = 0; i < left.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i + 1;
            for (var j = 0; j < right.Length; j++)
            {
                var replaced = diagonal + (left[i] == right[j] ? 0 : 1);
                diagonal = row[j + 1];
                row[j + 1] = Math.Min(replaced, Math.Min(row[j], diagonal) + 1);
            }
        }

        return row[^1];
    }
}
