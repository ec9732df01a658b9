using System.Text;
using Fluster.Cluster;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Cli;

/// <summary>
/// Prints a job's output here: of one task byte for byte, of several line by line with the task in front. What it wrote to standard error
/// goes there, and so does everything that is said about the log.
/// </summary>
internal sealed class LogPrinter(int replicas)
{
    private readonly LogLineReader _reader = new();

    public void Print(V1.LogChunk chunk)
    {
        if (chunk.Gap)
        {
            Output.Note($"fluster: {chunk.LineCount} lines are missing here");
        }
        else if (replicas == 1)
        {
            Write(chunk.Stream, chunk.Data.Span);
        }
        else
        {
            var text = new StringBuilder();
            foreach (var line in _reader.Read(chunk))
            {
                text.Append('[').Append(line.TaskIndex).Append("] ").Append(line.Text).Append('\n');
            }

            Write(chunk.Stream, Encoding.UTF8.GetBytes(text.ToString()));
        }
    }

    private static void Write(V1.LogStream stream, ReadOnlySpan<byte> bytes)
    {
        if (stream == V1.LogStream.Stdout)
        {
            Output.Write(bytes);
        }
        else
        {
            Output.WriteError(bytes);
        }
    }
}
