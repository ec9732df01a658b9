using System.Buffers.Text;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Fluster.Worker;

/// <summary>One process and no later one of the same number: numbers are given again, start times are not.</summary>
/// <param name="Id">The process number.</param>
/// <param name="StartTime">When it started, in kernel ticks since boot.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ProcessIdentity(int Id, ulong StartTime)
{
    /// <summary>Whether this very process runs. A zombie does not.</summary>
    public bool IsAlive() => ProcessTable.TryRead(Id, out var entry) && entry.Identity == this && !entry.IsDead;
}

/// <summary>One row of the process table.</summary>
/// <param name="Identity">Which process.</param>
/// <param name="Parent">The number of its parent.</param>
/// <param name="State">The kernel's letter: R, S, D, T, Z, X, ...</param>
/// <param name="ResidentPages">Pages of memory that it has in RAM.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ProcessEntry(ProcessIdentity Identity, int Parent, char State, long ResidentPages)
{
    /// <summary>It runs no more; only its parent has yet to take note.</summary>
    public bool IsDead => State is 'Z' or 'X' or 'x';
}

/// <summary>Reads the kernel's table of processes (/proc).</summary>
internal static class ProcessTable
{
    private const int StatLength = 1024;

    /// <summary>Every process that this one can see, without those that ended while it was read.</summary>
    public static List<ProcessEntry> Read()
    {
        var entries = new List<ProcessEntry>(256);
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory.AsSpan()), NumberStyles.None, null, out var id) && TryRead(id, out var entry))
            {
                entries.Add(entry);
            }
        }

        return entries;
    }

    /// <summary>The live processes below <paramref name="roots"/>, without the roots themselves, parents before children.</summary>
    public static List<ProcessEntry> Descendants(IReadOnlyList<ProcessEntry> table, IReadOnlyCollection<int> roots)
    {
        var children = table.ToLookup(entry => entry.Parent);
        var found = new List<ProcessEntry>();
        var seen = new HashSet<int>(roots);
        var waiting = new Queue<int>(roots);
        while (waiting.TryDequeue(out var parent))
        {
            foreach (var child in children[parent].Where(child => seen.Add(child.Identity.Id)))
            {
                waiting.Enqueue(child.Identity.Id);
                if (!child.IsDead)
                {
                    found.Add(child);
                }
            }
        }

        return found;
    }

    public static bool TryRead(int id, out ProcessEntry entry)
    {
        entry = default;
        Span<byte> buffer = stackalloc byte[StatLength];
        var length = ReadFile($"/proc/{id}/stat", buffer);
        if (length <= 0)
        {
            return false;
        }

        // "123 (any (text)) S 1 ...": the name can hold anything, so fields are counted from its last parenthesis.
        var text = buffer[..length];
        var rest = text[(text.LastIndexOf((byte)')') + 2)..];
        var state = (char)rest[0];
        var parent = (int)Field(rest, 1);
        entry = new ProcessEntry(new ProcessIdentity(id, (ulong)Field(rest, 19)), parent, state, Field(rest, 21));
        return true;
    }

    /// <summary>The processes whose environment, as it was when they were executed, has this variable with a value that begins like this.</summary>
    public static IEnumerable<ProcessEntry> Marked(IEnumerable<ProcessEntry> table, string variable, string valuePrefix)
    {
        var mark = Encoding.UTF8.GetBytes($"{variable}={valuePrefix}");
        return table.Where(entry => HasMark(entry.Identity.Id, mark));
    }

    /// <summary>The live processes that run as one of these users, or could become it.</summary>
    public static IEnumerable<ProcessEntry> OfUsers(IEnumerable<ProcessEntry> table, IReadOnlySet<uint> users) =>
        users.Count == 0 ? [] : table.Where(entry => !entry.IsDead && HasUser(entry.Identity.Id, users));

    /// <summary>By the table itself: the owner of a process's directory is root when the process has hidden its memory.</summary>
    private static bool HasUser(int id, IReadOnlySet<uint> users)
    {
        Span<byte> buffer = stackalloc byte[StatLength];
        var length = ReadFile($"/proc/{id}/status", buffer);
        if (length <= 0)
        {
            return false;
        }

        // "Uid:\treal\teffective\tsaved\tof files"
        var text = buffer[..length];
        var start = text.IndexOf("\nUid:\t"u8);
        if (start < 0)
        {
            return false;
        }

        var numbers = text[(start + 6)..];
        for (var i = 0; i < 4 && Utf8Parser.TryParse(numbers, out uint user, out var read); i++)
        {
            if (users.Contains(user))
            {
                return true;
            }

            numbers = numbers[Math.Min(read + 1, numbers.Length)..];
        }

        return false;
    }

    private static bool HasMark(int id, byte[] mark)
    {
        byte[] environment;
        try
        {
            environment = File.ReadAllBytes($"/proc/{id}/environ");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false; // gone, a kernel thread, or another user's: not ours
        }

        for (var start = 0; start < environment.Length;)
        {
            var rest = environment.AsSpan(start);
            if (rest.StartsWith(mark))
            {
                return true;
            }

            var end = rest.IndexOf((byte)0);
            start = end < 0 ? environment.Length : start + end + 1;
        }

        return false;
    }

    private static int ReadFile(string path, Span<byte> buffer)
    {
        try
        {
            using var file = File.OpenHandle(path);
            return RandomAccess.Read(file, buffer, 0);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return -1;
        }
    }

    private static long Field(ReadOnlySpan<byte> text, int index)
    {
        for (; index > 0; index--)
        {
            text = text[(text.IndexOf((byte)' ') + 1)..];
        }

        return Utf8Parser.TryParse(text, out long value, out _) ? value : 0;
    }
}
