using System.Buffers.Binary;
using System.Numerics;
using Google.Protobuf;
using SQLitePCL;

namespace Fluster.Controller;

/// <summary>
/// One table of numbered rows, each a body with a checksum. Speaks to SQLite directly: a commit may have thousands of rows, and a row costs a
/// copy and three bindings here. Belongs to the thread of its connection.
/// </summary>
internal sealed class SqliteTable : IDisposable
{
    private readonly sqlite3 _connection;
    private readonly string _name;
    private readonly uint _seed;
    private readonly sqlite3_stmt _put;
    private readonly sqlite3_stmt _delete;
    private byte[] _buffer = new byte[4096];

    public SqliteTable(sqlite3 connection, string name)
    {
        _connection = connection;
        _name = name;
        foreach (var letter in name)
        {
            _seed = BitOperations.Crc32C(_seed, letter); // a row that turns up in another table is not one of it
        }

        _put = Prepare(connection, $"INSERT INTO {name} (uid, sum, body) VALUES (?1, ?2, ?3) ON CONFLICT (uid) DO UPDATE SET sum = excluded.sum, body = excluded.body");
        _delete = Prepare(connection, $"DELETE FROM {name} WHERE uid = ?1");
    }

    public static string Definition(string name) => $"CREATE TABLE IF NOT EXISTS {name} (uid INTEGER PRIMARY KEY, sum INTEGER NOT NULL, body BLOB NOT NULL)";

    public void Put(long uid, IMessage message)
    {
        var size = message.CalculateSize();
        if (_buffer.Length < size)
        {
            _buffer = new byte[Math.Max(size, _buffer.Length * 2)];
        }

        var body = _buffer.AsSpan(0, size);
        message.WriteTo(body);
        SqliteError.Check(_connection, raw.sqlite3_bind_int64(_put, 1, uid));
        SqliteError.Check(_connection, raw.sqlite3_bind_int64(_put, 2, Checksum(uid, body)));
        SqliteError.Check(_connection, size == 0 ? raw.sqlite3_bind_zeroblob(_put, 3, 0) : raw.sqlite3_bind_blob(_put, 3, body));
        Run(_put);
    }

    public void Delete(long uid)
    {
        SqliteError.Check(_connection, raw.sqlite3_bind_int64(_delete, 1, uid));
        Run(_delete);
    }

    /// <summary>Deletes every row with at most this uid.</summary>
    public void DeleteUpTo(long uid)
    {
        using var delete = Prepare(_connection, $"DELETE FROM {_name} WHERE uid <= ?1");
        SqliteError.Check(_connection, raw.sqlite3_bind_int64(delete, 1, uid));
        Run(delete);
    }

    /// <summary>Reads every row, lowest uid first.</summary>
    /// <param name="connection">Which one reads: another than that of the writer may do so at the same time.</param>
    /// <param name="read">Takes a row.</param>
    /// <exception cref="StoreCorruptException">A row does not have the checksum that was written with it, or cannot be understood.</exception>
    public void ReadAll(sqlite3 connection, RowReader read)
    {
        using var select = Prepare(connection, $"SELECT uid, sum, body FROM {_name} ORDER BY uid");
        while (true)
        {
            var result = raw.sqlite3_step(select);
            if (result == raw.SQLITE_DONE)
            {
                return;
            }

            SqliteError.Check(connection, result, raw.SQLITE_ROW);
            Take(raw.sqlite3_column_int64(select, 0), raw.sqlite3_column_int64(select, 1), raw.sqlite3_column_blob(select, 2), read);
        }
    }

    /// <summary>Reads some rows with at most this uid, highest first, until <paramref name="read"/> has enough.</summary>
    /// <exception cref="StoreCorruptException">A row does not have the checksum that was written with it, or cannot be understood.</exception>
    public void ReadDown(sqlite3 connection, long from, Func<bool> enough, RowReader read)
    {
        using var select = Prepare(connection, $"SELECT uid, sum, body FROM {_name} WHERE uid <= ?1 ORDER BY uid DESC");
        SqliteError.Check(connection, raw.sqlite3_bind_int64(select, 1, from));
        while (!enough() && raw.sqlite3_step(select) is var result && result != raw.SQLITE_DONE)
        {
            SqliteError.Check(connection, result, raw.SQLITE_ROW);
            Take(raw.sqlite3_column_int64(select, 0), raw.sqlite3_column_int64(select, 1), raw.sqlite3_column_blob(select, 2), read);
        }
    }

    public void Dispose()
    {
        _put.Dispose();
        _delete.Dispose();
    }

    private void Take(long uid, long sum, ReadOnlySpan<byte> body, RowReader read)
    {
        if (sum != Checksum(uid, body))
        {
            throw new StoreCorruptException($"Row {uid} of table '{_name}' is damaged: its checksum is not the one that was written with it.");
        }

        try
        {
            read(uid, body);
        }
        catch (Exception exception) when (exception is InvalidProtocolBufferException or FormatException or InvalidOperationException)
        {
            throw new StoreCorruptException($"Row {uid} of table '{_name}' does not fit the others: {exception.Message}", exception);
        }
    }

    private long Checksum(long uid, ReadOnlySpan<byte> body)
    {
        var crc = BitOperations.Crc32C(_seed, (ulong)uid);
        while (body.Length >= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(body));
            body = body[sizeof(ulong)..];
        }

        foreach (var single in body)
        {
            crc = BitOperations.Crc32C(crc, single);
        }

        return crc;
    }

    private static sqlite3_stmt Prepare(sqlite3 connection, string sql)
    {
        SqliteError.Check(connection, raw.sqlite3_prepare_v2(connection, sql, out var statement));
        return statement;
    }

    private void Run(sqlite3_stmt statement)
    {
        var result = raw.sqlite3_step(statement);
        raw.sqlite3_reset(statement);
        SqliteError.Check(_connection, result, raw.SQLITE_DONE);
    }
}

internal delegate void RowReader(long uid, ReadOnlySpan<byte> body);
