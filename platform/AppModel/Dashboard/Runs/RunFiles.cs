using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Aspire.Hosting.Dashboard;

/// <summary>What a run leaves on disk: its consoles as text, a line for each, and the requests with traces and logs as they came.</summary>
internal sealed class RunFiles : IAsyncDisposable
{
    private const string ConsoleFile = "console.log";
    private const string TelemetryFile = "telemetry.otlp";
    private const long MostConsoleBytes = 4 << 20;
    private const long MostTelemetryBytes = 8 << 20;

    /// <summary>The kind and the length of a request stand before it.</summary>
    private const int HeaderBytes = 5;

    private readonly AppendFile _console;
    private readonly AppendFile _telemetry;

    public RunFiles(string directory)
    {
        HostDirectory.MakePrivate(directory);
        _console = new AppendFile(Path.Combine(directory, ConsoleFile), MostConsoleBytes);
        _telemetry = new AppendFile(Path.Combine(directory, TelemetryFile), MostTelemetryBytes);
    }

    public void Append(ConsoleEntry entry, string name) => _console.Append(Encoding.UTF8.GetBytes(string.Create(
        CultureInfo.InvariantCulture, $"{entry.At.ToUnixTimeMilliseconds()}\t{name}\t{(entry.IsError ? 1 : 0)}\t{entry.Text.Replace('\n', ' ')}\n")));

    /// <summary>Metrics are not kept: there are too many of them, and they say little without the others.</summary>
    public void Append(Signal signal, ReadOnlyMemory<byte> request)
    {
        if (signal == Signal.Metrics)
        {
            return;
        }

        var record = new byte[HeaderBytes + request.Length];
        record[0] = (byte)signal;
        BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(1), request.Length);
        request.CopyTo(record.AsMemory(HeaderBytes));
        _telemetry.Append(record);
    }

    /// <summary>Reads what a run has left; what was cut off by its end is left out.</summary>
    public static RunData Load(string id, string directory)
    {
        var (consoles, telemetry) = (new ConsoleStore(), new TelemetryStore());
        foreach (var part in Parts(Path.Combine(directory, ConsoleFile)))
        {
            foreach (var line in File.ReadLines(part))
            {
                if (line.Split('\t', 4) is [var at, var source, var isError, var text] && long.TryParse(at, CultureInfo.InvariantCulture, out var milliseconds))
                {
                    consoles.Append(DateTimeOffset.FromUnixTimeMilliseconds(milliseconds), source, text, isError == "1");
                }
            }
        }

        foreach (var part in Parts(Path.Combine(directory, TelemetryFile)))
        {
            Load(File.ReadAllBytes(part), telemetry);
        }

        return new RunData(id, consoles, telemetry);
    }

    public async ValueTask DisposeAsync()
    {
        await _console.DisposeAsync();
        await _telemetry.DisposeAsync();
    }

    private static void Load(ReadOnlySpan<byte> content, TelemetryStore telemetry)
    {
        try
        {
            while (content.Length >= HeaderBytes && BinaryPrimitives.ReadInt32LittleEndian(content[1..]) is >= 0 and var length && content.Length >= HeaderBytes + length)
            {
                TelemetryFeed.Take(telemetry, (Signal)content[0], content.Slice(HeaderBytes, length));
                content = content[(HeaderBytes + length)..];
            }
        }
        catch (InvalidDataException)
        {
            // Something else wrote here. What was read so far is shown.
        }
    }

    private static IEnumerable<string> Parts(string path) => new[] { AppendFile.OldOf(path), path }.Where(File.Exists);
}
