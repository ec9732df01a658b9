using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Fluster.Worker;

/// <summary>
/// The guard: a process that waits for the worker's end, however that comes, and then ends everything that the worker left. Outside of the
/// worker's session and of all boundaries.
/// </summary>
[SupportedOSPlatform("linux")]
internal static unsafe class GuardProcess
{
    /// <summary>The argument that makes this program a guard.</summary>
    public const string Argument = "--guard";

    private const int SetName = 15; // PR_SET_NAME

    /// <summary>Blocks until standard input, a pipe that only the worker holds, ends.</summary>
    public static int Run(Ward ward)
    {
        foreach (var number in (ReadOnlySpan<int>)[1, Libc.SigInt, 3, Libc.SigTerm]) // hang-up, interrupt, quit, terminate: whoever sends these means the worker
        {
            _ = Libc.signal(number, 1);
        }

        Libc.CloseOthersOnExec();
        _ = Libc.prctl(SetName, (nuint)Marshal.StringToCoTaskMemUTF8("fluster-guard"), 0, 0, 0);
        byte nothing;
        while (Libc.read(0, &nothing, 1) is var count && (count > 0 || count < 0 && Marshal.GetLastPInvokeError() == Libc.Eintr))
        {
        }

        ward.SweepUntilEmpty();
        return 0;
    }
}
