using System.Text.Json;

namespace Fluster.Cluster;

/// <summary>The files by which a job's process tells its worker how it ended. Each appears whole or not at all.</summary>
internal sealed class JobOutcomeFiles(string directory)
{
    public const string Result = "result.json";
    public const string Exception = "exception.json";
    public const string Fault = "fault.json";

    public void WriteResult(byte[] json) => Write(Result, json);

    /// <param name="exception">What was thrown.</param>
    /// <param name="ofResult">The job's method has returned, and what it returned cannot be kept.</param>
    public void WriteException(Exception exception, bool ofResult) => Write(Exception, Json(
        ("type", exception.GetType().FullName ?? exception.GetType().Name),
        ("message", exception.Message),
        ("stack", exception.ToString()),
        ("of", ofResult ? "result" : "method")));

    public void WriteFault(string message) => Write(Fault, Json(("message", message)));

    private static byte[] Json(params ReadOnlySpan<(string Name, string Value)> properties)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            foreach (var (name, value) in properties)
            {
                writer.WriteString(name, value);
            }

            writer.WriteEndObject();
        }

        return buffer.ToArray();
    }

    private void Write(string name, byte[] bytes)
    {
        var path = Path.Combine(directory, name);
        File.WriteAllBytes(path + ".tmp", bytes);
        File.Move(path + ".tmp", path, overwrite: true);
    }
}
