using System.Diagnostics.CodeAnalysis;

namespace Fluster.Controller;

/// <summary>
/// Where a reader of a job's log is: for each task that it has begun, the attempt and the next chunk. Opaque to clients:
/// <c>task:fence:chunk</c>, joined by ';'.
/// </summary>
internal sealed class LogCursor
{
    private const int MaxTasks = 100_000;

    private readonly SortedDictionary<int, Position> _tasks = [];

    public Position? this[int task]
    {
        get => _tasks.TryGetValue(task, out var position) ? position : null;
        set
        {
            if (value is { } position)
            {
                _tasks[task] = position;
            }
            else
            {
                _tasks.Remove(task);
            }
        }
    }

    public static bool TryParse(string text, [NotNullWhen(true)] out LogCursor? cursor)
    {
        cursor = null;
        var parsed = new LogCursor();
        foreach (var part in text.Split(';', StringSplitOptions.RemoveEmptyEntries))
        {
            var numbers = part.Split(':');
            if (numbers.Length != 3
                || !int.TryParse(numbers[0], out var task) || task < 0
                || !ulong.TryParse(numbers[1], out var fence)
                || !long.TryParse(numbers[2], out var chunk) || chunk < 0
                || parsed._tasks.Count == MaxTasks)
            {
                return false;
            }

            parsed._tasks[task] = new Position(new Fence(fence), chunk);
        }

        cursor = parsed;
        return true;
    }

    public override string ToString() => string.Join(';', _tasks.Select(task => $"{task.Key}:{task.Value.Fence}:{task.Value.Chunk}"));

    internal readonly record struct Position(Fence Fence, long Chunk);
}
