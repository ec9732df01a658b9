using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Fluster.Worker;

/// <summary>
/// The launcher: one small process per worker, whose only work is to fork the processes of attempts and to reap them. It inherits their
/// orphans. Forking from here is quick whatever the size of the worker's own process, and leaves that process alone.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed unsafe class LauncherProcess : IDisposable
{
    private const int SetChildSubreaper = 36; // PR_SET_CHILD_SUBREAPER
    private const int SetName = 15; // PR_SET_NAME
    private const int SetMask = 2; // SIG_SETMASK
    private const int StuckMilliseconds = 10_000; // for what takes two
    private const int Descriptors = 3; // standard output, standard error, news

    private readonly Lock _gate = new();
    private readonly Dictionary<int, int> _news = []; // program -> descriptor of its news
    private readonly AutoResetEvent _born = new(initialState: false);
    private readonly byte* _starterName = (byte*)Marshal.StringToCoTaskMemUTF8("fluster-starter");
    private readonly int _control;
    private readonly int _null;

    private LauncherProcess(int control, int nullDevice)
    {
        _control = control;
        _null = nullDevice;
    }

    /// <summary>The main of the launcher: serves requests until the worker is gone, then ends what the worker left.</summary>
    /// <param name="ward">What belongs to the worker.</param>
    public static int Run(Ward ward)
    {
        foreach (var number in (ReadOnlySpan<int>)[1, Libc.SigInt, 3, Libc.SigTerm]) // hang-up, interrupt, quit, terminate: the worker decides
        {
            _ = Libc.signal(number, 1);
        }

        Libc.CloseOthersOnExec();
        _ = Libc.prctl(SetName, (nuint)Marshal.StringToCoTaskMemUTF8("fluster-launch"), 0, 0, 0);
        Libc.Check(Libc.prctl(SetChildSubreaper, 1, 0, 0, 0), "prctl(PR_SET_CHILD_SUBREAPER)");
        if (!SelfTest())
        {
            Console.Error.WriteLine("The launcher cannot fork here: a forked child did not come back as expected.");
            return 1;
        }

        fixed (byte* path = "/dev/null\0"u8)
        {
            using var launcher = new LauncherProcess(control: 0, Libc.Check(Libc.open(path, Libc.ReadWrite | Libc.CloseOnExec), "open /dev/null"));
            new Thread(launcher.Reap) { IsBackground = true, Name = "reaper" }.Start();
            launcher.Serve();
        }

        ward.SweepUntilEmpty(spared: Environment.ProcessId);
        return 0;
    }

    public void Dispose() => _born.Dispose();

    private static bool SelfTest()
    {
        if (typeof(Forked).Assembly.GetCustomAttribute<DebuggableAttribute>() is { IsJITOptimizerDisabled: true })
        {
            return false; // such code calls the runtime at places where a child cannot
        }

        Forked.Prepare();
        var child = Forked.SelfTest(ForkCalls.Table);
        var status = 0;
        return child > 0 && Libc.waitpid(child, &status, 0) == child && status == Forked.SelfTestCode << 8;
    }

    private void Serve()
    {
        var ready = (byte)1;
        _ = Libc.write(_control, &ready, 1);
        var descriptors = new int[Descriptors];
        while (FdChannel.Receive(_control, descriptors) is { } message)
        {
            Launch(LaunchRequest.Read(message), descriptors[0], descriptors[1], descriptors[2]);
            _ = Libc.close(descriptors[0]);
            _ = Libc.close(descriptors[1]);
        }
    }

    private void Launch(LaunchRequest request, int stdout, int stderr, int news)
    {
        var (result, resultEnd) = Libc.BlockingPipe();
        using var plan = new ForkPlan(request, _null, stdout, stderr, news, resultEnd);
        lock (_gate)
        {
            var (child, program, outcome) = Fork(request, plan, result, resultEnd);
            _ = Libc.close(result);
            var started = outcome.Kind == LaunchNewsKind.Started;
            Tell(news, outcome);
            if (started && child == program)
            {
                _news.Add(program, news); // the reaper tells the rest
            }
            else
            {
                _ = Libc.close(news); // a starter tells the rest, or there is none
            }
        }

        _born.Set();
    }

    private (int Child, int Program, LaunchNews Outcome) Fork(LaunchRequest request, ForkPlan plan, int result, int resultEnd)
    {
        var child = WithSignalsBlocked(() => request.Isolation switch
        {
            IsolationMode.Marker => Forked.Start(plan.Data, _starterName),
            IsolationMode.Cgroup2 => ForkIntoCgroup(request, plan),
            _ => Forked.Execute(plan.Data, -1),
        });
        var error = Marshal.GetLastSystemError();
        _ = Libc.close(resultEnd);
        if (child < 0)
        {
            return (child, 0, new LaunchNews(LaunchNewsKind.Failed, (int)LaunchStage.Fork, error));
        }

        // Positive: the number of a starter's program. Negative: a stage, then an error number. Nothing more: it runs.
        var (program, outcome) = (child, default(LaunchNews));
        for (int number; (number = ReadInt(result, child)) != 0;)
        {
            if (number > 0)
            {
                program = number;
            }
            else
            {
                outcome = new LaunchNews(LaunchNewsKind.Failed, -number, ReadInt(result, child));
            }
        }

        if (program == child && request.Isolation == IsolationMode.Marker && outcome == default)
        {
            outcome = new LaunchNews(LaunchNewsKind.Failed, (int)LaunchStage.Fork, 0); // the starter died at once
        }

        var starter = program == child ? 0 : child;
        return (child, program, outcome == default ? new LaunchNews(LaunchNewsKind.Started, program, starter) : outcome);
    }

    /// <summary>A child that is born in its group is there before it runs. A kernel before 5.7 cannot; such a child enters by itself.</summary>
    private static int ForkIntoCgroup(LaunchRequest request, ForkPlan plan)
    {
        var directory = Libc.open(plan.Text(request.CgroupDirectory), Libc.CloseOnExec /* O_RDONLY; the number of O_DIRECTORY depends on the processor */);
        if (directory < 0)
        {
            return Forked.Execute(plan.Data, -1);
        }

        var child = Forked.Execute(plan.Data, directory);
        _ = Libc.close(directory);
        return child >= 0 ? child : Forked.Execute(plan.Data, -1);
    }

    /// <summary>A handler of the runtime must not run in the child, which has the runtime's memory but none of its threads.</summary>
    private static int WithSignalsBlocked(Func<int> fork)
    {
        var all = stackalloc ulong[16]; // sigset_t
        var before = stackalloc ulong[16];
        new Span<ulong>(all, 16).Fill(ulong.MaxValue);
        _ = Libc.pthread_sigmask(SetMask, all, before);
        try
        {
            return fork();
        }
        finally
        {
            _ = Libc.pthread_sigmask(SetMask, before, null);
        }
    }

    private void Reap()
    {
        while (true)
        {
            var status = 0;
            var ended = Libc.waitpid(-1, &status, 0);
            if (ended < 0)
            {
                if (Marshal.GetLastPInvokeError() == Libc.Echild)
                {
                    _born.WaitOne();
                }

                continue;
            }

            lock (_gate) // after the launch that made it has said so
            {
                if (_news.Remove(ended, out var news))
                {
                    Tell(news, new LaunchNews(LaunchNewsKind.Exited, status, 0));
                    _ = Libc.close(news);
                }
            }
        }
    }

    private static void Tell(int descriptor, LaunchNews news)
    {
        var words = stackalloc int[] { (int)news.Kind, news.First, news.Second };
        _ = Libc.write(descriptor, words, LaunchNews.Size); // a worker that is gone needs no news
    }

    private static int ReadInt(int descriptor, int child)
    {
        var waiting = new Libc.PollFd { Fd = descriptor, Events = Libc.PollIn };
        if (Libc.poll(&waiting, 1, StuckMilliseconds) == 0)
        {
            _ = Libc.kill(child, Libc.SigKill); // it is not reaped before this method's caller is done: the number is its own
        }

        var number = 0;
        nint count;
        do
        {
            count = Libc.read(descriptor, &number, sizeof(int));
        }
        while (count < 0 && Marshal.GetLastPInvokeError() == Libc.Eintr);

        return count == sizeof(int) ? number : 0;
    }
}
