using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Running;

/// <summary>
/// Writes what resources say on the AppHost's console: one line at a time, each with its resource's name, in colour on a
/// terminal and plain in a pipe. Closed until the AppHost runs: an application inside a test prints nothing.
/// </summary>
internal sealed partial class ConsoleBoard(ApplicationModel.DistributedApplicationModel model)
{
    private const string AppHost = "apphost";
    private const string Reset = "\e[0m";
    private const string Faint = "\e[2m";

    private static readonly string[] s_colours = ["\e[36m", "\e[32m", "\e[33m", "\e[35m", "\e[34m", "\e[96m", "\e[92m", "\e[93m", "\e[95m", "\e[94m"];

    private readonly Lock _lock = new();
    private volatile bool _isOpen;

    /// <summary>Whether escape sequences are wanted: the output is a terminal and nobody said NO_COLOR.</summary>
    public static bool HasColour { get; } = !Console.IsOutputRedirected && IsColourWanted();

    public void Open() => _isOpen = true;

    /// <summary>Writes a line of a resource.</summary>
    public void WriteLine(string resourceId, string line)
    {
        if (_isOpen)
        {
            var (name, index) = NameOf(resourceId);
            Write(Prefix(name, s_colours[index % s_colours.Length]) + (HasColour ? line : Escapes().Replace(line, "")));
        }
    }

    /// <summary>Writes a line of the AppHost itself.</summary>
    public void WriteHostLine(string line)
    {
        if (_isOpen)
        {
            Write(Prefix(AppHost, Faint) + line);
        }
    }

    /// <summary>Writes a line as it is.</summary>
    public void WritePlainLine(string line)
    {
        if (_isOpen)
        {
            Write(line);
        }
    }

    private static bool IsColourWanted()
    {
#pragma warning disable RS0030 // A convention of terminals, not a setting of ours.
        return string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")) && Environment.GetEnvironmentVariable("TERM") != "dumb";
#pragma warning restore RS0030
    }

    // Resources with one process are shown by their name, others by the ids of their processes.
    private (string Name, int Index) NameOf(string resourceId)
    {
        for (var i = 0; i < model.Resources.Count; i++)
        {
            var ids = model.Resources[i].InstanceIds();
            if (ids.Contains(resourceId, StringComparer.OrdinalIgnoreCase) || string.Equals(model.Resources[i].Name, resourceId, StringComparison.OrdinalIgnoreCase))
            {
                return (ids.Count == 1 ? model.Resources[i].Name : resourceId, i);
            }
        }

        return (resourceId, 0);
    }

    private string Prefix(string name, string colour)
    {
        var width = model.Resources.Where(resource => resource.IsProcess())
            .Select(resource => resource.InstanceIds() is { Count: > 1 } ids ? ids[0].Length : resource.Name.Length)
            .Append(AppHost.Length).Max();
        var text = $"[{name}]".PadRight(width + 2);
        return HasColour ? $"{colour}{text}{Reset} " : $"{text} ";
    }

    private void Write(string line)
    {
        try
        {
            lock (_lock)
            {
                Console.Out.WriteLine(line);
            }
        }
        catch (IOException)
        {
            // Nobody reads any more (a closed pipe or terminal); the application goes on.
        }
    }

    [GeneratedRegex(@"\e\[[0-9;?]*[ -/]*[@-~]", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Escapes();
}

/// <summary>What the AppHost itself has to say goes to the same console.</summary>
internal sealed class ConsoleBoardLoggerProvider(ConsoleBoard board) : ILoggerProvider
{
    public ILogger CreateLogger(string categoryName) => new BoardLogger(board, isPlain: categoryName == typeof(DistributedApplication).FullName);

    public void Dispose()
    {
        // The board is not the provider's.
    }

    private sealed class BoardLogger(ConsoleBoard board, bool isPlain) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information && logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
            {
                return;
            }

            var level = logLevel switch
            {
                LogLevel.Warning => "warning: ",
                LogLevel.Error => "error: ",
                LogLevel.Critical => "critical: ",
                _ => "",
            };
            var text = formatter(state, exception);
            foreach (var line in (exception is null ? text : $"{text}\n{exception}").Split('\n'))
            {
                if (isPlain)
                {
                    board.WritePlainLine(level + line);
                }
                else
                {
                    board.WriteHostLine(level + line);
                }
            }
        }
    }
}
