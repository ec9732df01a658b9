using SQLitePCL;

namespace Fluster.Controller;

/// <summary>The database could not do what it was asked.</summary>
internal class StoreException(string message, Exception? innerException = null) : Exception(message, innerException);

/// <summary>There is no room left on the disk. Nothing of the batch was written.</summary>
internal sealed class StoreFullException(string message) : StoreException(message);

/// <summary>The database is not as it was written.</summary>
internal sealed class StoreCorruptException(string message, Exception? innerException = null) : StoreException(message, innerException);

internal static class SqliteError
{
    /// <exception cref="StoreException">The result is another one.</exception>
    public static void Check(sqlite3 connection, int result, int expected = raw.SQLITE_OK)
    {
        if (result == expected)
        {
            return;
        }

        var text = $"SQLite: {raw.sqlite3_errmsg(connection).utf8_to_string()} (code {raw.sqlite3_extended_errcode(connection)}).";
        throw (result & 0xff) switch
        {
            raw.SQLITE_FULL => new StoreFullException(text),
            raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB => new StoreCorruptException(text),
            _ => new StoreException(text),
        };
    }
}
