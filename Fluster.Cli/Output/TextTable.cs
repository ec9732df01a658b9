using Spectre.Console;

namespace Fluster.Cli;

/// <summary>Rows under headings: with colours and fitted to the width on a terminal, plain columns in a pipe.</summary>
internal sealed class TextTable(params string[] headings)
{
    private readonly List<string[]> _rows = [];

    public void Add(params string[] cells) => _rows.Add(cells);

    public void Write()
    {
        if (Output.IsTerminal)
        {
            WriteToTerminal();
            return;
        }

        foreach (var line in Lines())
        {
            Output.Line(line);
        }
    }

    /// <summary>Plain columns, two blanks apart. The last column is not padded.</summary>
    internal IEnumerable<string> Lines()
    {
        IReadOnlyList<string[]> all = [headings, .. _rows.Select(row => row.Select(cell => cell.ReplaceLineEndings(" ")).ToArray())];
        var widths = headings.Select((_, column) => all.Max(row => row[column].Length)).ToList();
        return all.Select(row => string.Concat(row.Select((cell, column) => column == row.Length - 1 ? cell : cell.PadRight(widths[column] + 2))).TrimEnd());
    }

    // Its own method, so that a pipe never loads the library.
    private void WriteToTerminal()
    {
        var table = new Table { Border = TableBorder.None, ShowRowSeparators = false };
        foreach (var heading in headings)
        {
            table.AddColumn(new TableColumn(new Text(heading, new Style(decoration: Decoration.Dim))) { Padding = new Padding(0, 0, 2, 0) });
        }

        foreach (var row in _rows)
        {
            table.AddRow(row.Select(cell => new Text(cell, new Style(ColourOf(cell)))));
        }

        AnsiConsole.Write(table);
    }

    private static Color? ColourOf(string cell) => cell switch
    {
        "Succeeded" or "Alive" => Color.Green,
        "Failed" or "WorkerFailed" or "Unschedulable" or "Lost" => Color.Red,
        "Running" or "Building" => Color.Blue,
        "Pending" or "Stopping" or "Suspect" or "Draining" => Color.Yellow,
        "Killed" => Color.Grey,
        _ => null,
    };
}
