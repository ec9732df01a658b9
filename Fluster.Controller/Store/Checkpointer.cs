using Microsoft.Data.Sqlite;

namespace Fluster.Controller;

/// <summary>Copies the write-ahead log back into the database, on a connection and a thread of its own, so that no commit waits for it.</summary>
internal sealed class Checkpointer : IDisposable
{
    /// <summary>Rows, and commits, after which the log is copied back: some 16 MiB of it.</summary>
    private const int MostRows = 20_000;
    private const int MostCommits = 2_000;

    /// <summary>Size of the log from which on commits wait until it begins anew: copying does not keep up with them.</summary>
    private const long RestartFrom = 256 << 20;

    private readonly AutoResetEvent _asked = new(initialState: false);
    private readonly SqliteConnection _connection;
    private readonly string _log;
    private readonly Thread _thread;
    private volatile bool _stopped;
    private int _rows;
    private int _commits;

    public Checkpointer(string path)
    {
        _log = path + "-wal";
        _connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        _connection.Open();
        _thread = new Thread(Run) { IsBackground = true, Name = "checkpoints" };
        _thread.Start();
    }

    /// <summary>A transaction was written. Called by the writer.</summary>
    public void Committed(int rows)
    {
        _rows += rows;
        if (++_commits >= MostCommits || _rows >= MostRows)
        {
            _rows = 0;
            _commits = 0;
            _asked.Set();
        }
    }

    public void Dispose()
    {
        _stopped = true;
        _asked.Set();
        _thread.Join();
        _connection.Dispose();
        _asked.Dispose();
    }

    private void Run()
    {
        while (_asked.WaitOne() && !_stopped)
        {
            try
            {
                using var command = _connection.CreateCommand();
                command.CommandText = new FileInfo(_log) is { Exists: true, Length: >= RestartFrom }
                    ? "PRAGMA busy_timeout = 5000; PRAGMA wal_checkpoint(TRUNCATE)"
                    : "PRAGMA wal_checkpoint(PASSIVE)";
                command.ExecuteNonQuery();
            }
            catch (SqliteException)
            {
                // The log only stays longer: the next commit that finds it long asks again.
            }
        }
    }
}
