using System.Text;

namespace Fluster.Cluster;

/// <summary>
/// The console of a process in which jobs run: what a job writes goes into the job's log, everything else goes where it went before. Installed with the
/// first job, and again when somebody has replaced the console's writer since.
/// </summary>
internal sealed class LocalConsole : TextWriter
{
    private static readonly AsyncLocal<LocalOutput?> s_output = new();
    private static readonly Lock s_gate = new();

    // As the console gives them back: it wraps what it is given.
    private static TextWriter? s_out;
    private static TextWriter? s_error;

    private readonly TextWriter _before;
    private readonly JobLogStream _stream;

    private LocalConsole(TextWriter before, JobLogStream stream) => (_before, _stream) = (before, stream);

    public override Encoding Encoding => _before.Encoding;

    /// <summary>From here on, what the calling code and everything that it starts writes is the attempt's.</summary>
    public static void Enter(LocalOutput output)
    {
        lock (s_gate)
        {
            if (!ReferenceEquals(Console.Out, s_out))
            {
                Console.SetOut(new LocalConsole(Console.Out, JobLogStream.Stdout));
                s_out = Console.Out;
            }

            if (!ReferenceEquals(Console.Error, s_error))
            {
                Console.SetError(new LocalConsole(Console.Error, JobLogStream.Stderr));
                s_error = Console.Error;
            }
        }

        s_output.Value = output;
    }

    public override void Write(char value) => Write([value]);

    public override void Write(string? value) => Write(value.AsSpan());

    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    public override void Write(ReadOnlySpan<char> buffer)
    {
        if (s_output.Value?.Write(_stream, buffer) != true)
        {
            _before.Write(buffer);
        }
    }

    public override void WriteLine() => WriteLine("");

    public override void WriteLine(string? value)
    {
        // The whole line at once: others write into the same log.
        if (s_output.Value?.Write(_stream, value + CoreNewLineText) != true)
        {
            _before.WriteLine(value);
        }
    }

    public override void Flush() => _before.Flush();

    private string CoreNewLineText => new(CoreNewLine);
}
