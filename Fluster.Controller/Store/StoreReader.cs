using System.Globalization;
using System.Runtime.ExceptionServices;
using Fluster.Store.V1;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Fluster.Controller;

/// <summary>
/// Reads a whole database at the start of a controller. Half of it is read beside the other, on a connection of its own: what takes time
/// is to make records, not the disk.
/// </summary>
internal sealed class StoreReader(string path, IReadOnlyDictionary<string, SqliteTable> tables, sqlite3 connection)
{
    private readonly RadixMap<JobRecord>.Builder _jobs = RadixMap<JobRecord>.Empty.ToBuilder();
    private readonly RadixMap<WorkerRecord>.Builder _workers = RadixMap<WorkerRecord>.Empty.ToBuilder();
    private readonly EndpointTable.Builder _endpoints = EndpointTable.Empty.ToBuilder();
    private readonly RadixMap<TombstoneRecord>.Builder _tombstones = RadixMap<TombstoneRecord>.Empty.ToBuilder();
    private readonly RadixMap<RegistrationRecord>.Builder _registrations = RadixMap<RegistrationRecord>.Empty.ToBuilder();
    private readonly RadixMap<VmRecord>.Builder _vms = RadixMap<VmRecord>.Empty.ToBuilder();
    private readonly RadixMap<VmBlockRecord>.Builder _vmBlocks = RadixMap<VmBlockRecord>.Empty.ToBuilder();
    private readonly RadixMap<TaskRecord>.Builder _tasks = RadixMap<TaskRecord>.Empty.ToBuilder();
    private readonly RadixMap<AttemptRecord>.Builder _attempts = RadixMap<AttemptRecord>.Empty.ToBuilder();

    /// <summary>Everything; null from an empty database.</summary>
    /// <exception cref="StoreCorruptException">The file or a row is damaged.</exception>
    public ClusterState? Read()
    {
        ClusterMeta? meta = null;
        tables["meta"].ReadAll(connection, (_, body) => meta = Rows.ToRecord(MetaRow.Parser.ParseFrom(body)));
        if (meta is null)
        {
            return null;
        }

        try
        {
            Parallel.Invoke(ReadJobs, ReadAttempts);
        }
        catch (AggregateException exception)
        {
            ExceptionDispatchInfo.Throw(exception.InnerExceptions[0]);
        }

        NameWorkers();
        var attempts = _attempts.ToImmutable();
        foreach (var attempt in attempts.Ascending())
        {
            if (!attempt.Dead)
            {
                Hold(attempt);
            }
        }

        return new ClusterState
        {
            Meta = meta,
            Jobs = _jobs.ToImmutable(),
            Tasks = _tasks.ToImmutable(),
            Attempts = attempts,
            Workers = _workers.ToImmutable(),
            Endpoints = _endpoints.ToImmutable(),
            Tombstones = _tombstones.ToImmutable(),
            Registrations = _registrations.ToImmutable(),
            Vms = _vms.ToImmutable(),
            VmBlocks = _vmBlocks.ToImmutable(),
        };
    }

    /// <summary>Rows of before schema 5 do not have the name; workers did not go then.</summary>
    private void NameWorkers()
    {
        foreach (var attempt in _attempts.ToImmutable().Ascending())
        {
            if (attempt.Worker == default && _workers.Find(attempt.WorkerUid) is { } worker)
            {
                _attempts.Set(attempt.Uid, attempt with { Worker = worker.Id });
            }
        }
    }

    private void ReadJobs()
    {
        var requests = new Dictionary<long, RequestRow>();
        tables["requests"].ReadAll(connection, (uid, body) => requests.Add(uid, RequestRow.Parser.ParseFrom(body)));
        var namespaces = new Dictionary<string, Namespace>(StringComparer.Ordinal);
        tables["jobs"].ReadAll(connection, (uid, body) =>
        {
            if (!requests.Remove(uid, out var request))
            {
                throw new InvalidOperationException("table 'requests' has no such row.");
            }

            _jobs.Set(uid, Rows.ToRecord(uid, JobRow.Parser.ParseFrom(body), request, NamespaceOf));
        });
        tables["workers"].ReadAll(connection, (uid, body) => _workers.Set(uid, Rows.ToRecord(uid, WorkerRow.Parser.ParseFrom(body))));
        tables["endpoints"].ReadAll(connection, (uid, body) => _endpoints.Add(Rows.ToRecord(uid, EndpointRow.Parser.ParseFrom(body))));
        tables["tombstones"].ReadAll(connection, (uid, body) => _tombstones.Set(uid, Rows.ToRecord(uid, TombstoneRow.Parser.ParseFrom(body))));
        tables["registrations"].ReadAll(connection, (uid, body) => _registrations.Set(uid, Rows.ToRecord(uid, RegistrationRow.Parser.ParseFrom(body))));

        tables["vms"].ReadAll(connection, (uid, body) => _vms.Set(uid, VmRows.ToRecord(uid, VmRow.Parser.ParseFrom(body))));
        tables["vm_blocks"].ReadAll(connection, (uid, body) => _vmBlocks.Set(uid, VmRows.ToRecord(uid, VmBlockRow.Parser.ParseFrom(body))));

        Namespace NamespaceOf(string text)
        {
            if (!namespaces.TryGetValue(text, out var known))
            {
                namespaces[text] = known = Namespace.Parse(text); // one string for all jobs of a namespace
            }

            return known;
        }
    }

    private void ReadAttempts()
    {
        using var second = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        second.Open();
        var handle = second.Handle!;
        var names = new Dictionary<string, WorkerId>(StringComparer.Ordinal);
        tables["tasks"].ReadAll(handle, (uid, body) => _tasks.Set(uid, Rows.ToRecord(uid, TaskRow.Parser.ParseFrom(body))));
        tables["attempts"].ReadAll(handle, (uid, body) => _attempts.Set(uid, Rows.ToRecord(AttemptRow.Parser.ParseFrom(body), WorkerOf)));

        // Rows have checksums; that none of them is missing, only the tree of pages shows.
        using var check = second.CreateCommand();
        check.CommandText = "PRAGMA quick_check(1)";
        if (Convert.ToString(check.ExecuteScalar(), CultureInfo.InvariantCulture) is var found and not "ok")
        {
            throw new StoreCorruptException($"SQLite's own check says: {found}");
        }

        WorkerId WorkerOf(string text)
        {
            WorkerId known = default;
            if (text.Length > 0 && !names.TryGetValue(text, out known))
            {
                names[text] = known = WorkerId.Parse(text); // one string for all attempts of a worker
            }

            return known;
        }
    }

    /// <summary>What a worker holds follows from its attempts; their uids are in the order of placement.</summary>
    private void Hold(AttemptRecord attempt)
    {
        if (_workers.Find(attempt.WorkerUid) is not { } worker || _jobs.Find(attempt.JobUid) is not { } job)
        {
            throw new StoreCorruptException($"Attempt {attempt.Uid} belongs to job {attempt.JobUid} and worker {attempt.WorkerUid}, and one of them has no row.");
        }

        _workers.Set(worker.Uid, worker with { Held = worker.Held.Add(attempt.Fence), Used = worker.Used.Plus(job.Terms.Shape, attempt.Gpus) });
    }
}
