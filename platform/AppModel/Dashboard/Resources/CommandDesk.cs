using AppModel.Pages;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Dashboard;

/// <summary>Runs the commands that people give on pages, and remembers what became of the last ones.</summary>
internal sealed class CommandDesk(ResourceCommandService commands, TimeProvider time)
{
    private const int MostNotices = 3;

    private static readonly TimeSpan s_shown = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_quick = TimeSpan.FromMilliseconds(300);

    private readonly Lock _lock = new();
    private readonly List<CommandNotice> _notices = [];

    /// <summary>What became of the commands of the last minute, the newest first.</summary>
    public IReadOnlyList<CommandNotice> Notices
    {
        get
        {
            lock (_lock)
            {
                return [.. _notices.Where(notice => notice.Tone == "tone-run" || time.GetUtcNow() - notice.At < s_shown)];
            }
        }
    }

    /// <summary>Begins a command; returns when it is done, or is seen to take longer.</summary>
    public Task RunAsync(string resource, string command) => Task.WhenAny(ExecuteAsync(resource, command), Task.Delay(s_quick, time));

    private async Task ExecuteAsync(string resource, string command)
    {
        var notice = new CommandNotice(time.GetUtcNow(), resource, command, "is being done.", "tone-run");
        Note(notice, replaced: null);
        var result = await commands.ExecuteCommandAsync(resource, command);
        var (text, tone) = result.Success ? (result.Message ?? "done.", "tone-ok") : result.Canceled ? ("given up.", "tone-wait") : (result.Message ?? "failed.", "tone-bad");
        Note(notice with { At = time.GetUtcNow(), Text = text, Tone = tone }, notice);
    }

    private void Note(CommandNotice notice, CommandNotice? replaced)
    {
        lock (_lock)
        {
            if (replaced is not null)
            {
                _notices.RemoveAll(other => ReferenceEquals(other, replaced));
            }

            _notices.Insert(0, notice);
            if (_notices.Count > MostNotices)
            {
                _notices.RemoveAt(_notices.Count - 1);
            }
        }
    }
}
