using System.Globalization;
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
    private const int SchemaVersion = 5;

    private static readonly string[] s_tables = ["meta", "requests", "jobs", "tasks", "attempts", "workers", "endpoints", "archive", "tombstones", "registrations", "vms", "vm_blocks", ActionTable.Name];

    private readonly string _path;
    private readonly SqliteConnection _connection;
    private readonly sqlite3 _handle;
    private readonly Checkpointer _checkpointer;
    private readonly Dictionary<string, SqliteTable> _tables;
    private readonly Dictionary<long, WorkerRecord> _writtenWorkers = [];
    private readonly ActionTable _actions;

    private ClusterStore(SqliteConnection connection, string path)
    {
        _path = path;
        _connection = connection;
        _handle = connection.Handle!;
        _tables = s_tables.ToDictionary(name => name, name => new SqliteTable(_handle, name), StringComparer.Ordinal);
        _actions = new ActionTable(_handle);
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
            throw exception.SqliteErrorCode switch
            {
                raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB => Damaged(path, exception.Message, exception),
                raw.SQLITE_FULL => Full(path, exception.Message),
                _ => new StoreException($"'{path}' cannot be opened: {exception.Message}", exception),
            };
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
    /// <exception cref="StoreCorruptException">The file or a row is damaged. Nothing was changed.</exception>
    public ClusterState? Load()
    {
        try
        {
            Actions = _actions.ReadAll();
            var state = new StoreReader(_path, _tables, _handle).Read();
            foreach (var worker in state?.Workers.Ascending() ?? [])
            {
                _writtenWorkers[worker.Uid] = worker;
            }

            return state;
        }
        catch (StoreCorruptException exception)
        {
            throw Damaged(_path, exception.Message, exception);
        }
        catch (SqliteException exception)
        {
            throw Damaged(_path, exception.Message, exception);
        }
    }

    /// <summary>The newest actions that <see cref="Load"/> found, oldest first.</summary>
    public IReadOnlyList<ActionRecord> Actions { get; private set; } = [];

    /// <summary>The number of the last action on the disk.</summary>
    public long LastAction => _actions.Last;

    /// <summary>Writes a batch in one transaction.</summary>
    /// <inheritdoc/>
    public void Commit(Batch batch, ClusterMeta meta, Func<long, bool> isNew)
    {
        try
        {
            Run("BEGIN IMMEDIATE");
            Write(batch, meta, isNew);
            Run("COMMIT");
        }
        catch (StoreException exception) when (exception is StoreFullException || HasNoRoom())
        {
            if (raw.sqlite3_get_autocommit(_handle) == 0)
            {
                Run("ROLLBACK");
            }

            throw Full(_path, exception.Message);
        }
        catch (StoreException exception)
        {
            throw new StoreException(
                $"'{_path}' could not be written: {exception.Message} Everything that was acknowledged is on the disk, and a controller that is started again goes on from there. Check the disk first.", exception);
        }

        _actions.Committed(batch.Actions);
        _checkpointer.Committed(batch.Jobs.Count + batch.Tasks.Count + batch.Attempts.Count + batch.Endpoints.Count);
        foreach (var (uid, worker) in batch.Workers)
        {
            if (worker is null)
            {
                _writtenWorkers.Remove(uid);
            }
            else
            {
                _writtenWorkers[uid] = worker;
            }
        }
    }

    public void Dispose()
    {
        foreach (var table in _tables.Values)
        {
            table.Dispose();
        }

        _actions.Dispose();
        _checkpointer.Dispose();
        _connection.Dispose();
    }

    /// <summary>SQLite calls some writes that found no room, those of the log's index among them, errors of input and output.</summary>
    private bool HasNoRoom()
    {
        const long Room = 256 << 10;
        return new DriveInfo(Path.GetDirectoryName(_path)!).AvailableFreeSpace < Room;
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

        if (version < SchemaVersion)
        {
            // 1 -> 2: table 'archive' is new. 2 -> 3: 'tombstones' is. 3 -> 4: 'registrations' and 'actions' are. 4 -> 5: 'vms' and 'vm_blocks' are. Bodies need no step of their own: their fields are only ever added.
            var create = string.Join("; ", s_tables.Select(SqliteTable.Definition));
            Execute(connection, $"BEGIN; {create}; PRAGMA user_version = {SchemaVersion}; COMMIT;");
        }
    }

    private static StoreCorruptException Damaged(string path, string what, Exception exception) => new(
        $"'{path}' is damaged: {what} The controller does not start on it and has changed nothing. Bring back a back-up of '{Path.GetDirectoryName(path)}' and have it adopted "
        + "('fluster cluster adopt'), or move the directory away: the next start then makes a new, empty cluster.", exception);

    private static StoreFullException Full(string path, string what) => new(
        $"The disk of '{path}' is full: {what} Nothing of this was written, and nothing that was acknowledged is lost. Make room.");

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // Made of constants only.
        command.CommandText = sql;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
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
            if (worker is null)
            {
                _tables["workers"].Delete(uid);
            }
            else if (!_writtenWorkers.TryGetValue(uid, out var written) || !Rows.SameRow(written, worker))
            {
                _tables["workers"].Put(uid, Rows.ToRow(worker));
            }
        }

        foreach (var (uid, archived) in batch.ArchivedJobs)
        {
            Archive(uid, archived);
        }

        foreach (var (uid, tombstone) in batch.Tombstones)
        {
            if (tombstone is null)
            {
                _tables["tombstones"].Delete(uid);
            }
            else
            {
                _tables["tombstones"].Put(uid, Rows.ToRow(tombstone));
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

        VmRows.Write(_tables, batch);
        _actions.Write(batch.Actions);
        foreach (var (uid, registration) in batch.Registrations)
        {
            if (registration is null)
            {
                _tables["registrations"].Delete(uid);
            }
            else
            {
                _tables["registrations"].Put(uid, Rows.ToRow(registration));
            }
        }
    }

    /// <summary>What people read of a job goes to the archive; all else that was written of it goes.</summary>
    private void Archive(long uid, ArchivedJob archived)
    {
        _tables["archive"].Put(uid, Rows.ToRow(archived));
        _tables["jobs"].Delete(uid);
        _tables["requests"].Delete(uid);
        for (var index = 0; index < archived.Job.Terms.Replicas; index++)
        {
            _tables["tasks"].Delete(archived.Job.FirstTask + index);
        }

        foreach (var fence in archived.Attempts)
        {
            _tables["attempts"].Delete(fence.Counter);
        }
    }

    private void Run(string sql) => SqliteError.Check(_handle, raw.sqlite3_exec(_handle, sql));
}
