using System.Globalization;
using System.Runtime.InteropServices;

namespace Fluster.Worker;

/// <summary>A range of numbers of users, both ends included.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct UserRange(uint First, uint Last)
{
    /// <summary>Below are the system's users, people, and what programs take to mean "nobody".</summary>
    private const uint Least = 65_537;
    private const uint Most = int.MaxValue;

    public uint Count => Last - First + 1;

    /// <summary>Reads "200000-209999".</summary>
    /// <exception cref="FormatException">It is not a range of users for attempts.</exception>
    public static UserRange Parse(string text) =>
        text.Split('-') is [var first, var last]
        && uint.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out var from) && uint.TryParse(last, NumberStyles.None, CultureInfo.InvariantCulture, out var to)
        && from >= Least && from <= to && to <= Most
            ? new UserRange(from, to)
            : throw new FormatException($"'{text}' is not a range of users for attempts: write two numbers from {Least} to {Most}, as in 200000-209999.");

    public bool Contains(uint user) => user >= First && user <= Last;

    /// <summary>The users that this machine has given to somebody else: those with a name, and those that people may use in containers of their own.</summary>
    public static IReadOnlyList<UserRange> Taken() => [.. Taken(LinesOf("/etc/passwd"), LinesOf("/etc/subuid"))];

    /// <param name="passwd">"name:x:NUMBER:group:...".</param>
    /// <param name="subordinate">"name:FIRST:COUNT".</param>
    internal static IEnumerable<UserRange> Taken(IEnumerable<string> passwd, IEnumerable<string> subordinate)
    {
        foreach (var fields in passwd.Select(line => line.Split(':')))
        {
            if (fields.Length > 2 && uint.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out var user))
            {
                yield return new UserRange(user, user);
            }
        }

        foreach (var fields in subordinate.Select(line => line.Split(':')))
        {
            if (fields.Length == 3 && uint.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
                && uint.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0)
            {
                yield return new UserRange(first, (uint)Math.Min((long)first + count - 1, Most));
            }
        }
    }

    private static string[] LinesOf(string path) => File.Exists(path) ? File.ReadAllLines(path) : [];
}
