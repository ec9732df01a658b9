using System.Globalization;

namespace Fluster.Worker;

/// <summary>The memory that processes have together.</summary>
internal static class MemoryUse
{
    /// <summary>
    /// Whether they have more than <paramref name="limit"/> bytes. Resident pages are quick to add up but count what processes share once
    /// for each; only when that sum is over the limit is the exact one taken.
    /// </summary>
    public static bool Exceeds(IReadOnlyList<ProcessEntry> processes, long limit) =>
        processes.Sum(process => process.ResidentPages) * Environment.SystemPageSize > limit && processes.Sum(Proportional) > limit;

    /// <summary>Bytes of a process, each shared page divided by those who share it.</summary>
    private static long Proportional(ProcessEntry process)
    {
        try
        {
            foreach (var line in File.ReadLines($"/proc/{process.Identity.Id}/smaps_rollup"))
            {
                if (line.StartsWith("Pss:", StringComparison.Ordinal))
                {
                    return long.Parse(line.AsSpan(4).Trim().TrimEnd("kB").Trim(), NumberStyles.None, CultureInfo.InvariantCulture) * 1024;
                }
            }

            return 0;
        }
        catch (FileNotFoundException)
        {
            return process.ResidentPages * Environment.SystemPageSize; // a kernel before 4.14
        }
        catch (IOException)
        {
            return 0; // it has ended
        }
        catch (UnauthorizedAccessException)
        {
            return process.ResidentPages * Environment.SystemPageSize;
        }
    }
}
