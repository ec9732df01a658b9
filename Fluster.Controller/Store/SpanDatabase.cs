using Google.Protobuf;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Fluster.Controller;

/// <summary>
/// The spans on disk, in a database of their own: what is lost of it is lost for looking at only, so it is not flushed with every write, and one that cannot be used
/// is made anew. One thread writes; readers have a connection of their own.
/// </summary>
internal sealed class SpanDatabase : IDisposable
{
    private const int SchemaVersion = 1;

    private const string Schema = """
        CREATE TABLE spans (number INTEGER PRIMARY KEY, trace BLOB NOT NULL, job INTEGER NOT NULL, id BLOB NOT NULL, rank INTEGER NOT NULL, own INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL);
        CREATE UNIQUE INDEX spans_id ON spans (trace, job, id);
        CREATE INDEX spans_job ON spans (job, own, at);
        CREATE INDEX spans_at ON spans (at);
        CREATE TABLE dropped (job INTEGER PRIMARY KEY, count INTEGER NOT NULL);
        """;

    private readonly SqliteConnection _writer;
    private readonly SqliteConnection _reader;
    private readonly Lock _reading = new();

    private SpanDatabase(SqliteConnection writer, SqliteConnection reader) => (_writer, _reader) = (writer, reader);

    /// <exception cref="SqliteException">It can neither be opened nor made.</exception>
    public static SpanDatabase Open(string path)
    {
        Batteries_V2.Init();
        try
        {
            return OpenThere(path);
        }
        catch (SqliteException exception) when (exception.SqliteErrorCode is raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB)
        {
            foreach (var suffix in (string[])["", "-wal", "-shm"])
            {
                File.Delete(path + suffix);
            }

            return OpenThere(path);
        }
    }

    /// <summary>Bytes that are in use; a file never gets smaller, but what is free in it is used again.</summary>
    public long UsedBytes => (Number("PRAGMA page_count") - Number("PRAGMA freelist_count")) * Number("PRAGMA page_size");

    /// <summary>Everything that is written until the result is disposed counts together.</summary>
    public SqliteTransaction Begin() => _writer.BeginTransaction();

    public long CountOf(long job) => Number("SELECT COUNT(*) FROM spans WHERE job = $job", ("$job", job));

    /// <summary>Writes a span; one that is there already stays unless this one has a higher rank.</summary>
    /// <returns>Whether there is one more than before.</returns>
    public bool Put(StoredSpan span, long at)
    {
        if (Replace(span, at))
        {
            return false;
        }

        return Execute(
            "INSERT OR IGNORE INTO spans (trace, job, id, rank, own, at, body) VALUES ($trace, $job, $id, $rank, $own, $at, $body)", [.. Parameters(span, at), ("$own", span.IsOwn ? 1L : 0L)]) > 0;
    }

    /// <summary>Writes a span in place of one with a lower rank, if there is one.</summary>
    public bool Replace(StoredSpan span, long at) =>
        Execute("UPDATE spans SET rank = $rank, at = $at, body = $body WHERE trace = $trace AND job = $job AND id = $id AND rank < $rank", Parameters(span, at)) > 0;

    /// <summary>Deletes the oldest spans of a job that belong to other traces than its own.</summary>
    public int DeleteOldestOfOthers(long job, int count) => Execute(
        "DELETE FROM spans WHERE number IN (SELECT number FROM spans WHERE job = $job AND own = 0 ORDER BY at LIMIT $count)", ("$job", job), ("$count", (long)count));

    public void Dropped(long job, long count) =>
        Execute("INSERT INTO dropped (job, count) VALUES ($job, $count) ON CONFLICT (job) DO UPDATE SET count = count + excluded.count", ("$job", job), ("$count", count));

    public void DeleteJob(long job)
    {
        Execute("DELETE FROM spans WHERE job = $job", ("$job", job));
        Execute("DELETE FROM dropped WHERE job = $job", ("$job", job));
    }

    public int DeleteBefore(long at) => Execute("DELETE FROM spans WHERE at < $at", ("$at", at));

    public int DeleteOldest(int count) => Execute("DELETE FROM spans WHERE number IN (SELECT number FROM spans ORDER BY at LIMIT $count)", ("$count", (long)count));

    /// <summary>The spans of a trace, whichever jobs sent them.</summary>
    public IReadOnlyList<(long Job, V1.Span Span)> Read(string traceId, int most)
    {
        var spans = new List<(long, V1.Span)>();
        lock (_reading)
        {
            using var select = Command(_reader, "SELECT job, body FROM spans WHERE trace = $trace LIMIT $most", ("$trace", Convert.FromHexString(traceId)), ("$most", (long)most));
            using var rows = select.ExecuteReader();
            while (rows.Read())
            {
                spans.Add((rows.GetInt64(0), V1.Span.Parser.ParseFrom(rows.GetFieldValue<byte[]>(1))));
            }
        }

        return spans;
    }

    public long DroppedOf(long job)
    {
        lock (_reading)
        {
            using var select = Command(_reader, "SELECT count FROM dropped WHERE job = $job", ("$job", job));
            return select.ExecuteScalar() is long count ? count : 0;
        }
    }

    public void Dispose()
    {
        _reader.Dispose();
        _writer.Dispose();
    }

    private static SpanDatabase OpenThere(string path)
    {
        var writer = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        try
        {
            writer.Open();
            Execute(writer, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000; PRAGMA journal_size_limit = 16777216");
            using var version = Command(writer, "PRAGMA user_version");
            if (version.ExecuteScalar() is not (long)SchemaVersion)
            {
                Execute(writer, $"BEGIN; DROP TABLE IF EXISTS spans; DROP TABLE IF EXISTS dropped; {Schema} PRAGMA user_version = {SchemaVersion}; COMMIT");
            }

            var reader = new SqliteConnection(writer.ConnectionString);
            reader.Open();
            return new SpanDatabase(writer, reader);
        }
        catch
        {
            writer.Dispose();
            throw;
        }
    }

    private static (string, object)[] Parameters(StoredSpan span, long at) =>
    [
        ("$trace", Convert.FromHexString(span.Span.TraceId)), ("$job", span.JobUid), ("$id", Convert.FromHexString(span.Span.SpanId)),
        ("$rank", (long)span.Rank), ("$at", at), ("$body", span.Span.ToByteArray()),
    ];

    private long Number(string sql, params (string, object)[] parameters)
    {
        using var command = Command(_writer, sql, parameters);
        return (long)command.ExecuteScalar()!;
    }

    private int Execute(string sql, params (string, object)[] parameters) => Execute(_writer, sql, parameters);

    private static int Execute(SqliteConnection connection, string sql, params (string, object)[] parameters)
    {
        using var command = Command(connection, sql, parameters);
        return command.ExecuteNonQuery();
    }

    private static SqliteCommand Command(SqliteConnection connection, string sql, params (string Name, object Value)[] parameters)
    {
        var command = connection.CreateCommand();
#pragma warning disable CA2100 // Made of constants only.
        command.CommandText = sql;
#pragma warning restore CA2100
        foreach (var (name, value) in parameters)
        {
            command.Parameters.AddWithValue(name, value);
        }

        return command;
    }
}

/// <summary>How much a span says about itself: a higher one takes the place of a lower one with the same id.</summary>
internal enum SpanRank
{
    /// <summary>It has begun.</summary>
    Open,

    /// <summary>It has ended, in the words of somebody who only heard of it.</summary>
    Presumed,

    /// <summary>It has ended.</summary>
    Ended,
}

/// <summary>A span, and for which job it is kept.</summary>
/// <param name="JobUid">The job whose attempt, or whose submit, it is of.</param>
/// <param name="IsOwn">It is of the trace that this job is part of, and not of somebody's who called it.</param>
/// <param name="Rank">How much it says.</param>
/// <param name="Span">The span.</param>
internal sealed record StoredSpan(long JobUid, bool IsOwn, SpanRank Rank, V1.Span Span);
