using System.Globalization;
using System.Runtime.Versioning;
using System.Text;

namespace Fluster.Worker;

/// <summary>
/// Set-up commands run in the container that the program then runs in, so that what they install is there for it. Two named pipes lead out of
/// it: one for what they write (the job's build log), one by which the shell that runs them tells how they ended.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class SetupChannel : IDisposable
{
    /// <summary>Where the pipes are inside.</summary>
    public const string Directory = "/fluster/setup";

    private const string OutputPipe = "output";
    private const string NewsPipe = "news";
    private const UnixFileMode Everybody = (UnixFileMode)0b110_110_110;

    // $1 = how many commands, then they, then the program. The commands do not get the pipe for news (4).
    private const string Script =
        $"""
        exec 4>{Directory}/{NewsPipe}
        count=$1; shift; number=0
        while [ "$number" -lt "$count" ]; do
          /bin/sh -c "$1" 4>&- >{Directory}/{OutputPipe} 2>&1 </dev/null
          code=$?
          [ "$code" -eq 0 ] || {"{"} echo "$number $code" >&4; exit 1; {"}"}
          shift; number=$((number + 1))
        done
        echo done >&4
        exec 4>&-
        exec "$@"
        """;

    private readonly DescriptorPump _pump;
    private readonly DescriptorReader _output;
    private readonly NewsReader _news;
    private readonly IReadOnlyList<string> _commands;

    private SetupChannel(DescriptorPump pump, DescriptorReader output, NewsReader news, IReadOnlyList<string> commands) => (_pump, _output, _news, _commands) = (pump, output, news, commands);

    public static SetupChannel Create(AttemptDirectory directory, AttemptLog log, DescriptorPump pump, IReadOnlyList<string> commands)
    {
        System.IO.Directory.CreateDirectory(directory.Setup);
        var (output, news) = (Path.Combine(directory.Setup, OutputPipe), Path.Combine(directory.Setup, NewsPipe));
        foreach (var path in (string[])[output, news])
        {
            Libc.Check(Libc.mkfifo(path, 0), "mkfifo");
            File.SetUnixFileMode(path, Everybody); // the image may run as another user; nobody else gets through the directory above
        }

        var reader = new NewsReader();
        pump.Add(Libc.OpenFifo(news), reader);
        return new SetupChannel(pump, log.Read(Libc.OpenFifo(output), V1.LogStream.Build), reader, commands);
    }

    /// <summary>The shell, the commands, and the program that takes the shell's place when all of them have succeeded.</summary>
    public static IReadOnlyList<string> Wrap(IReadOnlyList<string> commands, IReadOnlyList<string> argv) =>
        ["/bin/sh", "-c", Script, "sh", commands.Count.ToString(CultureInfo.InvariantCulture), .. commands, .. argv];

    /// <summary>Returns when the commands have ended, or the container has.</summary>
    /// <returns>Which one failed; null when none did.</returns>
    public async Task<JobFailure?> EndedAsync(Task containerExit)
    {
        await Task.WhenAny(_news.Line, containerExit);
        await _pump.FinishAsync(_output);
        await _pump.FinishAsync(_news);
        var line = _news.Line.IsCompleted ? await _news.Line : "";
        return line.Split(' ') is [var number, var code] && int.TryParse(number, CultureInfo.InvariantCulture, out var index) && int.TryParse(code, CultureInfo.InvariantCulture, out var exitCode) && index < _commands.Count
            ? new JobFailure(FailureKind.ProgramNotFound, $"The set-up command '{_commands[index]}' failed: exit code {exitCode}") { ExitCode = exitCode }
            : null;
    }

    public void Dispose()
    {
        _ = _pump.FinishAsync(_output);
        _ = _pump.FinishAsync(_news);
    }

    private sealed class NewsReader : DescriptorReader
    {
        private const int Longest = 100;

        private readonly TaskCompletionSource<string> _line = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly StringBuilder _text = new();

        /// <summary>The one line that the shell writes.</summary>
        public Task<string> Line => _line.Task;

        public override void Read(ReadOnlySpan<byte> data)
        {
            if (_text.Length < Longest)
            {
                _text.Append(Encoding.ASCII.GetString(data));
            }

            if (_text.ToString().IndexOf('\n', StringComparison.Ordinal) is var end and >= 0)
            {
                _line.TrySetResult(_text.ToString(0, end));
            }
        }

        public override void End()
        {
        }
    }
}
