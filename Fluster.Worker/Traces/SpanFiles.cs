using Google.Protobuf;

namespace Fluster.Worker;

/// <summary>
/// Reads the spans that the processes of one attempt leave in their directory, as they come. What is there may be anything: the job may write what it likes. So everything is
/// bounded, a file that makes no sense is not read any more, and nothing here can fail an attempt.
/// </summary>
internal sealed class SpanFiles(string directory)
{
    private const int MostFiles = 64;
    private const int LongestSpan = 256 << 10;

    /// <summary>Read at a time of one file.</summary>
    private const int MostRead = 4 << 20;

    private readonly Dictionary<string, long> _read = new(StringComparer.Ordinal); // by file: bytes that were read; -1: makes no sense

    /// <summary>The spans that are new.</summary>
    public IReadOnlyList<V1.Span> Read()
    {
        var spans = new List<V1.Span>();
        try
        {
            if (Directory.Exists(directory))
            {
                var files = Directory.EnumerateFiles(directory, "*" + SpanSpool.Extension).Take(MostFiles).Order(StringComparer.Ordinal).ToList();
                foreach (var (index, file) in files.Index())
                {
                    var isDone = Read(file, spans);
                    if (isDone && index + 1 < files.Count && OfSameProcess(file, files[index + 1]))
                    {
                        File.Delete(file); // the process has begun another one
                        _read.Remove(file);
                    }
                }
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It may be read the next time.
        }

        return spans;
    }

    /// <returns>Whether everything that is in the file was read.</returns>
    private bool Read(string path, List<V1.Span> spans)
    {
        var at = _read.GetValueOrDefault(path);
        if (at < 0)
        {
            return true;
        }

        using var file = LeftFile.Open(path);
        if (file is null || file.Length <= at)
        {
            return file is not null;
        }

        file.Position = at;
        var bytes = new byte[Math.Min(MostRead, file.Length - at)];
        bytes = bytes[..file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)];
        var taken = Take(bytes, spans);
        _read[path] = taken < 0 ? -1 : at + taken;
        return taken < 0 || at + taken == file.Length;
    }

    /// <returns>The bytes of whole spans; -1: these are none.</returns>
    private static int Take(byte[] bytes, List<V1.Span> spans)
    {
        var taken = 0;
        while (TryReadLength(bytes.AsSpan(taken), out var prefix, out var length))
        {
            if (length > LongestSpan)
            {
                return -1;
            }

            if (taken + prefix + length > bytes.Length)
            {
                break;
            }

            try
            {
                var span = V1.Span.Parser.ParseFrom(bytes, taken + prefix, length);
                if (SpanLimits.IsValid(span) && span.Source is not ("Fluster.Controller" or AttemptTrace.Source))
                {
                    spans.Add(SpanLimits.Cut(span));
                }
            }
            catch (InvalidProtocolBufferException)
            {
                return -1;
            }

            taken += prefix + length;
        }

        return taken;
    }

    private static bool TryReadLength(ReadOnlySpan<byte> bytes, out int prefix, out int length)
    {
        (prefix, length) = (0, 0);
        while (prefix < bytes.Length && prefix < 5)
        {
            var next = bytes[prefix];
            length |= (next & 0x7f) << (7 * prefix++);
            if ((next & 0x80) == 0)
            {
                length = length < 0 ? int.MaxValue : length;
                return true;
            }
        }

        length = int.MaxValue;
        return prefix == 5; // a length of more than five bytes is none
    }

    private static bool OfSameProcess(string file, string next)
    {
        var name = Path.GetFileName(file);
        var dash = name.IndexOf('-', StringComparison.Ordinal);
        return dash > 0 && Path.GetFileName(next).StartsWith(name[..(dash + 1)], StringComparison.Ordinal);
    }
}
