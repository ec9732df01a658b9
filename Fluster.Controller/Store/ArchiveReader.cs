using Fluster.Store.V1;
using Microsoft.Data.Sqlite;

namespace Fluster.Controller;

/// <summary>Reads archived jobs, on a connection of its own: the writer never waits for it, nor it for the writer.</summary>
internal sealed class ArchiveReader : IDisposable
{
    private readonly Lock _gate = new();
    private readonly SqliteConnection _connection;
    private readonly SqliteTable _archive;

    public ArchiveReader(string path)
    {
        _connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        _connection.Open();
        _archive = new SqliteTable(_connection.Handle!, "archive");
    }

    /// <summary>Archived jobs, newest first.</summary>
    /// <param name="from">The highest uid that may be among them.</param>
    /// <param name="most">At most so many.</param>
    /// <param name="wanted">Which.</param>
    public IReadOnlyList<JobRecord> Read(long from, int most, Func<JobRecord, bool> wanted)
    {
        var jobs = new List<JobRecord>();
        lock (_gate)
        {
            _archive.ReadDown(_connection.Handle!, from, () => jobs.Count >= most, (uid, body) =>
            {
                var row = ArchivedRow.Parser.ParseFrom(body);
                var job = Rows.ToRecord(uid, row.Job, row.Request, Namespace.Parse);
                if (wanted(job))
                {
                    jobs.Add(job);
                }
            });
        }

        return jobs;
    }

    public void Dispose()
    {
        _archive.Dispose();
        _connection.Dispose();
    }
}
