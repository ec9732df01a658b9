using System.Globalization;
using Fluster.Store.V1;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Fluster.Controller;

/// <summary>
/// The state on disk: one SQLite database in write-ahead mode, one transaction per batch, flushed before it counts. Rows are the live
/// records; there is no log to replay. Belongs to the loop's thread.
/// </summary>
internal sealed class ClusterStore : IBatchStore, IDisposable
{
    /// <summary>Of the rows. A database of a later version is refused; an earlier one is brought up to this one when it is opened.</summary>
    private const int SchemaVersion = 1;

    private static readonly string[] s_tables = ["meta", "requests", "jobs", "tasks", "attempts", "workers", "endpoints"];

    private readonly SqliteConnection _connection;
    private readonly sqlite3 _handle;
    private readonly Checkpointer _checkpointer;
    private readonly Dictionary<string, SqliteTable> _tables;
    private readonly Dictionary<long, WorkerRecord> _writtenWorkers = [];

    private ClusterStore(SqliteConnection connection, string path)
    {
        _connection = connection;
        _handle = connection.Handle!;
        _tables = s_tables.ToDictionary(name => name, name => new SqliteTable(_handle, name), StringComparer.Ordinal);
        _checkpointer = new Checkpointer(path);
    }

    /// <summary>Opens the database, or makes an empty one.</summary>
    /// <exception cref="StoreException">It cannot be opened, is damaged, or was written by a later version.</exception>
    public static ClusterStore Open(string path)
    {
        Batteries_V2.Init();
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        try
        {
            connection.Open();
            Execute(connection, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000; PRAGMA wal_autocheckpoint = 0;");
            Migrate(connection, path);
            return new ClusterStore(connection, path);
        }
        catch (SqliteException exception)
        {
            connection.Dispose();
            throw exception.SqliteErrorCode is raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB
                ? new StoreCorruptException($"'{path}' is damaged: {exception.Message}", exception)
                : new StoreException($"'{path}' cannot be opened: {exception.Message}", exception);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Limits the database to so many more pages (4 KiB each), as a disk would that is almost full.</summary>
    public void LimitTo(int morePages)
    {
        using var command = _connection.CreateCommand();
        command.CommandText = "PRAGMA page_count";
        var pages = Convert.ToInt64(command.ExecuteScalar(), CultureInfo.InvariantCulture);
        Execute(_connection, $"PRAGMA max_page_count = {pages + morePages}");
    }

    /// <summary>Reads everything; null from an empty database.</summary>
    /// <exception cref="StoreCorruptException">A row is damaged.</exception>
    public ClusterState? Load()
    {
        ClusterMeta? meta = null;
        _tables["meta"].ReadAll((_, body) => meta = Rows.ToRecord(MetaRow.Parser.ParseFrom(body)));
        if (meta is null)
        {
            return null;
        }

        var jobs = LoadJobs();
        var tasks = RadixMap<TaskRecord>.Empty.ToBuilder();
        _tables["tasks"].ReadAll((uid, body) => tasks.Set(uid, Rows.ToRecord(uid, TaskRow.Parser.ParseFrom(body))));
        var workers = RadixMap<WorkerRecord>.Empty.ToBuilder();
        _tables["workers"].ReadAll((uid, body) => workers.Set(uid, Rows.ToRecord(uid, WorkerRow.Parser.ParseFrom(body))));
        var attempts = RadixMap<AttemptRecord>.Empty.ToBuilder();
        _tables["attempts"].ReadAll((uid, body) =>
        {
            var attempt = Rows.ToRecord(AttemptRow.Parser.ParseFrom(body));
            attempts.Set(uid, attempt);
            if (!attempt.Dead)
            {
                // What a worker holds follows from its attempts; their uids are in the order of placement.
                var worker = workers[attempt.WorkerUid];
                var shape = jobs[attempt.JobUid].Terms.Shape;
                workers.Set(worker.Uid, worker with { Held = worker.Held.Add(attempt.Fence), Used = worker.Used.Plus(shape) });
            }
        });
        var endpoints = EndpointTable.Empty.ToBuilder();
        _tables["endpoints"].ReadAll((uid, body) => endpoints.Add(Rows.ToRecord(uid, EndpointRow.Parser.ParseFrom(body))));

        var state = new ClusterState
        {
            Meta = meta,
            Jobs = jobs.ToImmutable(),
            Tasks = tasks.ToImmutable(),
            Attempts = attempts.ToImmutable(),
            Workers = workers.ToImmutable(),
            Endpoints = endpoints.ToImmutable(),
        };
        foreach (var worker in state.Workers.Ascending())
        {
            _writtenWorkers[worker.Uid] = worker;
        }

        return state;
    }

    /// <summary>Writes a batch in one transaction. When this returns, the batch is on the disk.</summary>
    /// <param name="batch">What changed.</param>
    /// <param name="meta">What there is one of, as it is after the batch.</param>
    /// <param name="isNew">Whether a job was not written before.</param>
    /// <exception cref="StoreFullException">There is no room; nothing was written.</exception>
    /// <exception cref="StoreException">Anything else. What is on the disk is unknown.</exception>
    public void Commit(Batch batch, ClusterMeta meta, Func<long, bool> isNew)
    {
        Run("BEGIN IMMEDIATE");
        try
        {
            Write(batch, meta, isNew);
            Run("COMMIT");
        }
        catch (StoreFullException)
        {
            if (raw.sqlite3_get_autocommit(_handle) == 0)
            {
                Run("ROLLBACK");
            }

            throw;
        }

        _checkpointer.Committed(batch.Jobs.Count + batch.Tasks.Count + batch.Attempts.Count + batch.Endpoints.Count);
        foreach (var (uid, worker) in batch.Workers)
        {
            _writtenWorkers[uid] = worker;
        }
    }

    public void Dispose()
    {
        foreach (var table in _tables.Values)
        {
            table.Dispose();
        }

        _checkpointer.Dispose();
        _connection.Dispose();
    }

    private static void Migrate(SqliteConnection connection, string path)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA user_version";
        var version = Convert.ToInt32(command.ExecuteScalar(), CultureInfo.InvariantCulture);
        if (version > SchemaVersion)
        {
            throw new StoreException($"'{path}' was written by a later version of Fluster: its schema is {version}, and this program knows {SchemaVersion}.");
        }

        if (version == 0)
        {
            var create = string.Join("; ", s_tables.Select(SqliteTable.Definition));
            Execute(connection, $"BEGIN; {create}; PRAGMA user_version = {SchemaVersion}; COMMIT;");
        }
    }

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // Made of constants only.
        command.CommandText = sql;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }

    private RadixMap<JobRecord>.Builder LoadJobs()
    {
        var requests = new Dictionary<long, RequestRow>();
        _tables["requests"].ReadAll((uid, body) => requests.Add(uid, RequestRow.Parser.ParseFrom(body)));
        var namespaces = new Dictionary<string, Namespace>(StringComparer.Ordinal);
        var jobs = RadixMap<JobRecord>.Empty.ToBuilder();
        _tables["jobs"].ReadAll((uid, body) =>
        {
            if (!requests.Remove(uid, out var request))
            {
                throw new StoreCorruptException($"Job {uid} has no row in table 'requests'.");
            }

            jobs.Set(uid, Rows.ToRecord(uid, JobRow.Parser.ParseFrom(body), request, NamespaceOf));
        });
        return jobs;

        Namespace NamespaceOf(string text)
        {
            if (!namespaces.TryGetValue(text, out var known))
            {
                namespaces[text] = known = Namespace.Parse(text); // one string for all jobs of a namespace
            }

            return known;
        }
    }

    private void Write(Batch batch, ClusterMeta meta, Func<long, bool> isNew)
    {
        _tables["meta"].Put(1, Rows.ToRow(meta));
        foreach (var (uid, job) in batch.Jobs)
        {
            if (isNew(uid))
            {
                _tables["requests"].Put(uid, Rows.ToRequestRow(job));
            }

            _tables["jobs"].Put(uid, Rows.ToRow(job));
        }

        foreach (var (uid, task) in batch.Tasks)
        {
            _tables["tasks"].Put(uid, Rows.ToRow(task));
        }

        foreach (var (uid, attempt) in batch.Attempts)
        {
            _tables["attempts"].Put(uid, Rows.ToRow(attempt));
        }

        foreach (var (uid, worker) in batch.Workers)
        {
            if (!_writtenWorkers.TryGetValue(uid, out var written) || !Rows.SameRow(written, worker))
            {
                _tables["workers"].Put(uid, Rows.ToRow(worker));
            }
        }

        foreach (var (uid, endpoint) in batch.Endpoints)
        {
            if (endpoint is null)
            {
                _tables["endpoints"].Delete(uid);
            }
            else
            {
                _tables["endpoints"].Put(uid, Rows.ToRow(endpoint));
            }
        }
    }

    private void Run(string sql) => SqliteError.Check(_handle, raw.sqlite3_exec(_handle, sql));
}
