using Fluster.Store.V1;
using SQLitePCL;

namespace Fluster.Controller;

/// <summary>
/// The action log on disk. The actions of one commit are one row, whose uid is the number of the last of them: a commit writes one row more,
/// however much happened in it. Old rows go some at a time. Belongs to the loop's thread.
/// </summary>
internal sealed class ActionTable : IDisposable
{
    public const string Name = "actions";

    /// <summary>Rows are looked through for old ones after so many actions.</summary>
    private const int PruneEvery = 1_000;

    private readonly SqliteTable _table;
    private readonly sqlite3 _connection;

    public ActionTable(sqlite3 connection)
    {
        _connection = connection;
        _table = new SqliteTable(connection, Name);
    }

    /// <summary>The number of the last action that is known to be on the disk.</summary>
    public long Last { get; private set; }

    /// <summary>Reads the newest actions, oldest first.</summary>
    public IReadOnlyList<ActionRecord> ReadAll()
    {
        var actions = new List<ActionRecord>();
        _table.ReadAll(_connection, (uid, body) =>
        {
            Last = uid;
            actions.AddRange(ActionsRow.Parser.ParseFrom(body).Actions.Select(Rows.ToRecord));
        });
        return actions.Count <= ActionLog.Kept ? actions : actions.GetRange(actions.Count - ActionLog.Kept, ActionLog.Kept);
    }

    /// <summary>Writes the actions of a batch into its transaction.</summary>
    public void Write(IReadOnlyList<ActionRecord> actions)
    {
        if (actions.Count == 0)
        {
            return;
        }

        var row = new ActionsRow();
        row.Actions.AddRange(actions.Select(Rows.ToRow));
        var last = Last + actions.Count;
        _table.Put(last, row);
        if (last / PruneEvery != Last / PruneEvery)
        {
            _table.DeleteUpTo(last - ActionLog.Kept);
        }
    }

    /// <summary>What was written is on the disk.</summary>
    public void Committed(IReadOnlyList<ActionRecord> actions) => Last += actions.Count;

    public void Dispose() => _table.Dispose();
}
