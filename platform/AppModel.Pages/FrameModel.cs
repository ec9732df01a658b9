namespace AppModel.Pages;

/// <summary>What is around every page.</summary>
/// <param name="Application">The AppHost's name.</param>
/// <param name="Path">The path of the page: its entry in the menu is the current one.</param>
/// <param name="Theme">"light", "dark", or empty for the system's.</param>
/// <param name="Run">The earlier run that is shown; null for this one.</param>
/// <param name="Runs">The earlier runs that there are.</param>
/// <param name="CanLogOut">Whether there was a login.</param>
public sealed record FrameModel(string Application, string Path, string Theme, EarlierRun? Run, IReadOnlyList<EarlierRun> Runs, bool CanLogOut)
{
    /// <summary>A path that stays in the run that is shown.</summary>
    public string Link(string path) => Run is null ? path : $"{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}run={Uri.EscapeDataString(Run.Id)}";
}

/// <summary>A run of the AppHost before this one.</summary>
public sealed record EarlierRun(string Id, string Started);
