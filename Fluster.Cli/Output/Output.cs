using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Win32.SafeHandles;

namespace Fluster.Cli;

/// <summary>Standard output is for answers, standard error for what is said about them. Both are bytes: a job's output is not touched.</summary>
internal static class Output
{
    private static readonly Stream s_out = Open(1, Console.OpenStandardOutput);
    private static readonly Stream s_error = Open(2, Console.OpenStandardError);

    /// <summary>Whether a person looks at the answers.</summary>
    public static bool IsTerminal { get; } = !Console.IsOutputRedirected;

    public static void Line(string text) => Write(Encoding.UTF8.GetBytes(text + "\n"));

    public static void Json<T>(T value, JsonTypeInfo<T> type) => Line(JsonSerializer.Serialize(value, type));

    /// <summary>Names and values, one a line; pairs without a value are left out.</summary>
    public static void Pairs(params (string Name, string? Value)[] pairs)
    {
        var shown = pairs.Where(pair => !string.IsNullOrEmpty(pair.Value)).ToList();
        var width = shown.Max(pair => pair.Name.Length);
        foreach (var (name, value) in shown)
        {
            Line($"{name.PadRight(width)}  {value}");
        }
    }

    /// <summary>Something about the answer, not part of it.</summary>
    public static void Note(string text) => WriteError(Encoding.UTF8.GetBytes(text + "\n"));

    public static void Problem(string text) => Note($"fluster: {text.ReplaceLineEndings(" ")}");

    /// <exception cref="BrokenPipeException">Nobody reads any more.</exception>
    public static void Write(ReadOnlySpan<byte> bytes)
    {
        try
        {
            s_out.Write(bytes);
        }
        catch (IOException exception)
        {
            throw new BrokenPipeException(exception);
        }
    }

    public static void WriteError(ReadOnlySpan<byte> bytes)
    {
        try
        {
            s_error.Write(bytes);
        }
        catch (IOException exception)
        {
            throw new BrokenPipeException(exception);
        }
    }

    // The console's stream swallows that nobody reads a pipe any more; a file stream does not, but keeps a position of its own in a file.
    private static Stream Open(int descriptor, Func<Stream> console)
    {
        if (OperatingSystem.IsWindows())
        {
            return console();
        }

        var file = new FileStream(new SafeFileHandle(descriptor, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        return file.CanSeek ? console() : file;
    }
}
