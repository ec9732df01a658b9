using System.Text.RegularExpressions;

namespace Aspire.Hosting.Dashboard;

/// <summary>A line of a console.</summary>
/// <param name="Sequence">Its place among the lines of all consoles.</param>
/// <param name="At">When it came.</param>
/// <param name="Source">The id of the process that wrote it, or "apphost".</param>
/// <param name="Text">The line, without colours.</param>
/// <param name="IsError">Whether it was written as an error.</param>
internal readonly record struct ConsoleEntry(long Sequence, DateTimeOffset At, string Source, string Text, bool IsError);

/// <summary>Lines that were looked for.</summary>
/// <param name="Entries">The newest of them, in order.</param>
/// <param name="Found">How many there are.</param>
/// <param name="Last">The sequence of the newest line that was looked at.</param>
internal sealed record ConsoleSlice(IReadOnlyList<ConsoleEntry> Entries, int Found, long Last);

/// <summary>The newest lines of every console, in the order in which they came: 10,000 of each.</summary>
internal sealed partial class ConsoleStore
{
    public const string AppHost = "apphost";
    public const int MostLines = Running.ConsoleLog.MostLines;

    /// <summary>Lines beyond this are cut: a program that writes no line breaks is not to fill the memory.</summary>
    private const int LongestLine = 16_384;

    /// <summary>Old lines are dropped so many at a time, which costs less than one by one.</summary>
    private const int Slack = 1_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, List<ConsoleEntry>> _consoles = new(StringComparer.OrdinalIgnoreCase);
    private long _last;

    public IReadOnlyList<string> Sources
    {
        get
        {
            lock (_lock)
            {
                return [.. _consoles.Keys];
            }
        }
    }

    public ConsoleEntry Append(DateTimeOffset at, string source, string text, bool isError)
    {
        var plain = Escapes().Replace(text, "");
        lock (_lock)
        {
            var entry = new ConsoleEntry(++_last, at, source, plain.Length > LongestLine ? plain[..LongestLine] + "…" : plain, isError);
            if (!_consoles.TryGetValue(source, out var console))
            {
                _consoles[source] = console = [];
            }

            console.Add(entry);
            if (console.Count >= MostLines + Slack)
            {
                console.RemoveRange(0, console.Count - MostLines);
            }

            return entry;
        }
    }

    /// <summary>Finds lines.</summary>
    /// <param name="sources">Of these consoles; null for all.</param>
    /// <param name="search">Those that contain this, whatever the case; empty for all.</param>
    /// <param name="after">Those after this place.</param>
    /// <param name="most">As many of the newest at most.</param>
    public ConsoleSlice Read(IReadOnlyCollection<string>? sources, string search, long after, int most)
    {
        List<ConsoleEntry> found = [];
        long last;
        lock (_lock)
        {
            last = _last;
            foreach (var (source, console) in _consoles)
            {
                if (sources is null || sources.Contains(source, StringComparer.OrdinalIgnoreCase))
                {
                    found.AddRange(console.Skip(Math.Max(FirstAfter(console, after), console.Count - MostLines)));
                }
            }
        }

        // Comparing texts takes time: whoever writes is not kept waiting for it.
        if (search.Length > 0)
        {
            found.RemoveAll(entry => !entry.Text.Contains(search, StringComparison.OrdinalIgnoreCase));
        }

        found.Sort((left, right) => left.Sequence.CompareTo(right.Sequence));
        return new ConsoleSlice(found.Count > most ? found.GetRange(found.Count - most, most) : found, found.Count, last);
    }

    private static int FirstAfter(List<ConsoleEntry> console, long sequence)
    {
        var (low, high) = (0, console.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = console[middle].Sequence > sequence ? (low, middle) : (middle + 1, high);
        }

        return low;
    }

    // Colours and other sequences of terminals; other control characters but the tab.
    [GeneratedRegex(@"\e\[[0-9;?]*[ -/]*[@-~]|\e\][^\a]*\a|[\x00-\x08\x0b-\x1f]", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Escapes();
}
