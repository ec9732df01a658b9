using System.Threading.Channels;

namespace Aspire.Hosting.Dashboard;

/// <summary>
/// A file that only grows, up to a size; then it becomes the old one of two, in place of the one before. So between one and two sizes of the newest are there.
/// Whoever appends is not kept waiting: when the disk is too slow, the oldest of what waits is dropped.
/// </summary>
internal sealed class AppendFile : IAsyncDisposable
{
    private const int MostWaiting = 20_000;

    private static readonly TimeSpan s_drain = TimeSpan.FromSeconds(2);

    private readonly string _path;
    private readonly long _mostBytes;
    private readonly Channel<ReadOnlyMemory<byte>> _waiting = Channel.CreateBounded<ReadOnlyMemory<byte>>(
        new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });

    private readonly Task _writing;

    public AppendFile(string path, long mostBytes)
    {
        (_path, _mostBytes) = (path, mostBytes);
        _writing = WriteAsync();
    }

    /// <summary>Where the old part of such a file is.</summary>
    public static string OldOf(string path) => path + ".old";

    public void Append(ReadOnlyMemory<byte> record) => _waiting.Writer.TryWrite(record);

    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await Task.WhenAny(_writing, Task.Delay(s_drain, TimeProvider.System));
    }

    private async Task WriteAsync()
    {
        await Task.Yield();
        FileStream? file = null;
        try
        {
            while (await _waiting.Reader.WaitToReadAsync())
            {
                file ??= Open();
                while (_waiting.Reader.TryRead(out var record))
                {
                    await file.WriteAsync(record);
                }

                await file.FlushAsync();
                if (file.Length >= _mostBytes)
                {
                    await file.DisposeAsync();
                    file = null;
                    File.Move(_path, OldOf(_path), overwrite: true);
                }
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // A full disk: the run goes on, and what it says from here on will not be there after a restart.
            _waiting.Writer.TryComplete();
        }
        finally
        {
            if (file is not null)
            {
                await file.DisposeAsync();
            }
        }
    }

    private FileStream Open()
    {
        var stream = new FileStream(_path, HostDirectory.Options(FileMode.OpenOrCreate, FileShare.Read));
        stream.Seek(0, SeekOrigin.End);
        return stream;
    }
}
