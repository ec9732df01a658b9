using System.Runtime.Versioning;

namespace Fluster.Worker;

/// <summary>A program that the launcher was asked to start, as its news tell.</summary>
[SupportedOSPlatform("linux")]
internal sealed class LaunchedProgram
{
    private readonly TaskCompletionSource<LaunchNews> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<int?> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Started or Failed. A launcher that died first counts as a failure to fork.</summary>
    public Task<LaunchNews> Started => _started.Task;

    /// <summary>The program's wait status; null when whoever could have told it is gone.</summary>
    public Task<int?> Exited => _exited.Task;

    /// <summary>Nobody is left who could send news.</summary>
    public Task Released => _released.Task;

    /// <summary>A starter said that nothing of its tree is left. One that was killed did not.</summary>
    public bool IsEmptied { get; private set; }

    public void Tell(LaunchNews news)
    {
        switch (news.Kind)
        {
            case LaunchNewsKind.Started or LaunchNewsKind.Failed:
                _started.TrySetResult(news);
                break;
            case LaunchNewsKind.Exited: // may overtake Started: they come from different processes
                _exited.TrySetResult(news.First);
                break;
            case LaunchNewsKind.Emptied:
                IsEmptied = true;
                break;
        }
    }

    public void End()
    {
        _started.TrySetResult(new LaunchNews(LaunchNewsKind.Failed, (int)LaunchStage.Fork, 0));
        _exited.TrySetResult(null);
        _released.TrySetResult();
    }
}
