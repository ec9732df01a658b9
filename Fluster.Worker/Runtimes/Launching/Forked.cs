using System.Runtime.CompilerServices;
using System.Runtime.Versioning;

namespace Fluster.Worker;

/// <summary>
/// What happens between fork and exec. Such a child has one thread, no garbage collector and no just-in-time compiler, so this code
/// is compiled in full before the fork, touches only a <see cref="ForkPlan"/> and its own stack, allocates nothing, and calls only what POSIX
/// allows there, by address and without a transition of the runtime. That holds only for optimized code, in memory that survives a fork,
/// in a process where nobody asks threads to pause: see the settings of <see cref="HelperProcess"/> and docs/adr/0004-attempt-boundary.md.
/// </summary>
[SupportedOSPlatform("linux")]
internal static unsafe class Forked
{
    /// <summary>What the self-test's child exits with.</summary>
    public const int SelfTestCode = 42;

    private const int Clone3 = 435;
    private const int CloseRange = 436;
    private const ulong CloneIntoCgroup = 0x2_0000_0000;
    private const int CloneArgumentsLength = 11; // words of struct clone_args with the field cgroup
    private const int SigChld = 17;
    private const int LastSignal = 64;
    private const int SetMask = 2; // SIG_SETMASK
    private const int SetChildSubreaper = 36; // PR_SET_CHILD_SUBREAPER
    private const int SetName = 15; // PR_SET_NAME
    private const int SetNoNewPrivileges = 38; // PR_SET_NO_NEW_PRIVS

    /// <summary>Has everything compiled and linked now: a child could not.</summary>
    public static void Prepare()
    {
        var nothing = default(ForkPlan.Layout); // without calls, every method returns at once
        _ = Execute(&nothing, -1);
        _ = Start(&nothing, null);
        ExecuteHere(&nothing);
        Become(&nothing);
        Fail(&nothing, LaunchStage.Fork);
        SetSignals(&nothing, ignore: false);
        CloseAllBut(&nothing, 0);
    }

    /// <summary>Makes a child that only exits, to see whether forking works here.</summary>
    /// <returns>The child's number, or -1.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static int SelfTest(ForkCalls* calls)
    {
        var child = ((delegate* unmanaged[SuppressGCTransition]<int>)calls->Fork)();
        if (child == 0)
        {
            ((delegate* unmanaged[SuppressGCTransition]<int, void>)calls->Exit)(SelfTestCode);
        }

        return child;
    }

    /// <summary>
    /// Makes a child and executes the program in it. Signals must be blocked. A failure after the fork is told through the plan's
    /// result descriptor, as a stage and an error number; success closes it.
    /// </summary>
    /// <param name="plan">What to do.</param>
    /// <param name="cgroup">The control group (version 2) to be born in, or -1.</param>
    /// <returns>The child's number, or -1.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static int Execute(ForkPlan.Layout* plan, int cgroup)
    {
        var calls = plan->Calls;
        if (calls == null)
        {
            return -1;
        }

        int child;
        var enter = plan->CgroupFile != null;
        if (cgroup >= 0)
        {
            var arguments = stackalloc ulong[CloneArgumentsLength];
            arguments[0] = CloneIntoCgroup;
            for (var i = 1; i < CloneArgumentsLength; i++)
            {
                arguments[i] = 0;
            }

            arguments[4] = SigChld;
            arguments[10] = (ulong)cgroup;
            child = (int)((delegate* unmanaged[SuppressGCTransition]<long, void*, long, long>)calls->Syscall)(Clone3, arguments, CloneArgumentsLength * sizeof(ulong));
            enter = false;
        }
        else
        {
            child = ((delegate* unmanaged[SuppressGCTransition]<int>)calls->Fork)();
        }

        if (child != 0)
        {
            return child;
        }

        if (enter)
        {
            var zero = (byte)'0'; // "the process that writes"
            var file = ((delegate* unmanaged[SuppressGCTransition]<byte*, int, int>)calls->Open)(plan->CgroupFile, 1 /* O_WRONLY */);
            if (file < 0 || ((delegate* unmanaged[SuppressGCTransition]<int, void*, nint, nint>)calls->Write)(file, &zero, 1) != 1)
            {
                Fail(plan, LaunchStage.Boundary);
            }

            _ = ((delegate* unmanaged[SuppressGCTransition]<int, int>)calls->Close)(file);
        }

        ExecuteHere(plan);
        return -1; // not reached
    }

    /// <summary>
    /// Makes a starter: a child that inherits the orphans of its tree, runs the program as its own child, tells the end of the
    /// program, and ends when nothing of the tree is left.
    /// </summary>
    /// <returns>The starter's number, or -1. The program's number comes through the plan's result descriptor.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static int Start(ForkPlan.Layout* plan, byte* name)
    {
        var calls = plan->Calls;
        if (calls == null)
        {
            return -1;
        }

        var starter = ((delegate* unmanaged[SuppressGCTransition]<int>)calls->Fork)();
        if (starter != 0)
        {
            return starter;
        }

        // A signal to the whole tree must not end the one who watches it; SIGKILL still does.
        SetSignals(plan, ignore: true);
        _ = ((delegate* unmanaged[SuppressGCTransition]<int>)calls->Setsid)();
        _ = ((delegate* unmanaged[SuppressGCTransition]<int, nint, nint, nint, nint, int>)calls->Prctl)(SetChildSubreaper, 1, 0, 0, 0);
        _ = ((delegate* unmanaged[SuppressGCTransition]<int, nint, nint, nint, nint, int>)calls->Prctl)(SetName, (nint)name, 0, 0, 0);

        var program = ((delegate* unmanaged[SuppressGCTransition]<int>)calls->Fork)();
        if (program == 0)
        {
            ExecuteHere(plan);
        }

        if (program < 0)
        {
            Fail(plan, LaunchStage.Fork);
        }

        var news = stackalloc int[3];
        news[0] = program;
        _ = ((delegate* unmanaged[SuppressGCTransition]<int, void*, nint, nint>)calls->Write)(plan->Result, news, sizeof(int));

        // Holding a pipe of the job, or the launcher's socket, would keep their other ends waiting.
        CloseAllBut(plan, plan->News);

        while (true)
        {
            var status = 0;
            var ended = ((delegate* unmanaged[SuppressGCTransition]<int, int*, int, int>)calls->Waitpid)(-1, &status, 0);
            if (ended == program)
            {
                news[0] = (int)LaunchNewsKind.Exited;
                news[1] = status;
                news[2] = 0;
                _ = ((delegate* unmanaged[SuppressGCTransition]<int, void*, nint, nint>)calls->Write)(plan->News, news, LaunchNews.Size);
            }
            else if (ended < 0 && *((delegate* unmanaged[SuppressGCTransition]<int*>)calls->ErrorLocation)() == Libc.Echild)
            {
                news[0] = (int)LaunchNewsKind.Emptied;
                news[1] = 0;
                _ = ((delegate* unmanaged[SuppressGCTransition]<int, void*, nint, nint>)calls->Write)(plan->News, news, LaunchNews.Size);
                ((delegate* unmanaged[SuppressGCTransition]<int, void>)calls->Exit)(0);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void ExecuteHere(ForkPlan.Layout* plan)
    {
        var calls = plan->Calls;
        if (calls == null)
        {
            return;
        }

        SetSignals(plan, ignore: false);
        _ = ((delegate* unmanaged[SuppressGCTransition]<int>)calls->Setsid)();
        if (plan->User != 0)
        {
            Become(plan);
        }

        if (((delegate* unmanaged[SuppressGCTransition]<byte*, int>)calls->Chdir)(plan->WorkingDirectory) != 0)
        {
            Fail(plan, LaunchStage.WorkingDirectory);
        }

        // Copies are not closed by exec; everything else that is open here is.
        _ = ((delegate* unmanaged[SuppressGCTransition]<int, int, int>)calls->Dup2)(plan->Stdin, 0);
        _ = ((delegate* unmanaged[SuppressGCTransition]<int, int, int>)calls->Dup2)(plan->Stdout, 1);
        _ = ((delegate* unmanaged[SuppressGCTransition]<int, int, int>)calls->Dup2)(plan->Stderr, 2);
        _ = ((delegate* unmanaged[SuppressGCTransition]<byte*, byte**, byte**, int>)calls->Execve)(plan->Program, plan->Arguments, plan->Environment);
        Fail(plan, LaunchStage.Execute);
    }

    /// <summary>Another user, for good: programs that would run as their owner do not, or this user could come by another one's rights.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Become(ForkPlan.Layout* plan)
    {
        var calls = plan->Calls;
        if (calls == null)
        {
            return;
        }

        long user = plan->User;
        if (((delegate* unmanaged[SuppressGCTransition]<int, nint, nint, nint, nint, int>)calls->Prctl)(SetNoNewPrivileges, 1, 0, 0, 0) != 0
            || ((delegate* unmanaged[SuppressGCTransition]<long, long, long, long, long>)calls->Syscall)(calls->SetGroups, plan->Group == 0 ? 0 : 1, (long)&plan->Group, 0) != 0
            || ((delegate* unmanaged[SuppressGCTransition]<long, long, long, long, long>)calls->Syscall)(calls->SetGroup, user, user, user) != 0
            || ((delegate* unmanaged[SuppressGCTransition]<long, long, long, long, long>)calls->Syscall)(calls->SetUser, user, user, user) != 0)
        {
            Fail(plan, LaunchStage.User);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Fail(ForkPlan.Layout* plan, LaunchStage stage)
    {
        var calls = plan->Calls;
        if (calls == null)
        {
            return;
        }

        var result = stackalloc int[2];
        result[0] = -(int)stage; // negative: a starter sends a process number first
        result[1] = *((delegate* unmanaged[SuppressGCTransition]<int*>)calls->ErrorLocation)();
        _ = ((delegate* unmanaged[SuppressGCTransition]<int, void*, nint, nint>)calls->Write)(plan->Result, result, 2 * sizeof(int));
        ((delegate* unmanaged[SuppressGCTransition]<int, void>)calls->Exit)(127);
    }

    /// <summary>Takes the runtime's handlers away and lets signals in again.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void SetSignals(ForkPlan.Layout* plan, bool ignore)
    {
        var calls = plan->Calls;
        if (calls == null)
        {
            return;
        }

        var handler = ignore ? 1 : (nint)0; // SIG_IGN, SIG_DFL
        for (var number = 1; number <= LastSignal; number++)
        {
            // Ignoring SIGCHLD would have the kernel reap in our place.
            _ = ((delegate* unmanaged[SuppressGCTransition]<int, nint, nint>)calls->Signal)(number, number == SigChld ? 0 : handler);
        }

        var none = stackalloc ulong[16]; // sigset_t
        for (var i = 0; i < 16; i++)
        {
            none[i] = 0;
        }

        _ = ((delegate* unmanaged[SuppressGCTransition]<int, void*, void*, int>)calls->SignalMask)(SetMask, none, null);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void CloseAllBut(ForkPlan.Layout* plan, int kept)
    {
        var calls = plan->Calls;
        if (calls == null)
        {
            return;
        }

        var closed = kept == 0 || ((delegate* unmanaged[SuppressGCTransition]<long, long, long, long, long>)calls->Syscall)(CloseRange, 0, kept - 1, 0) == 0;
        closed &= ((delegate* unmanaged[SuppressGCTransition]<long, long, long, long, long>)calls->Syscall)(CloseRange, kept + 1, uint.MaxValue, 0) == 0;
        if (closed)
        {
            return;
        }

        for (var fd = 0; fd < 1024; fd++) // a kernel before 5.9
        {
            if (fd != kept)
            {
                _ = ((delegate* unmanaged[SuppressGCTransition]<int, int>)calls->Close)(fd);
            }
        }
    }
}
