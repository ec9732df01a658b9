namespace Fluster.Cluster;

/// <summary>Which jobs a list has.</summary>
public sealed record JobFilter
{
    /// <summary>Only this namespace. Default: the caller's own.</summary>
    public Namespace? Namespace { get; init; }

    /// <summary>Every namespace; needs the role admin. Default: false.</summary>
    public bool AllNamespaces { get; init; }

    /// <summary>Only these states. Default: all.</summary>
    public IReadOnlyList<JobState> States { get; init; } = [];

    /// <summary>Also those that ended long ago (30 days, or 100,000 jobs): after the others, without tasks and results. Default: false.</summary>
    public bool IncludeArchived { get; init; }

    /// <summary>Only this job and everything below it. Default: null, all.</summary>
    public JobId? Within { get; init; }
}

/// <summary>Which part of a log to read.</summary>
public sealed record LogOptions
{
    /// <summary>Goes on until the job has ended and everything was sent. Default: false.</summary>
    public bool Follow { get; init; }

    /// <summary>Only this task. Default: null, all.</summary>
    public int? TaskIndex { get; init; }

    /// <summary>Begins so many lines before the end. Default: null, from the beginning.</summary>
    public int? Tail { get; init; }

    /// <summary>Begins after the line that carried this cursor. Default: null, from the beginning.</summary>
    public string? Cursor { get; init; }
}

/// <summary>The streams of a job's log. Numbers are those of the wire.</summary>
public enum JobLogStream
{
    /// <summary>Standard output.</summary>
    Stdout = 1,

    /// <summary>Standard error.</summary>
    Stderr = 2,

    /// <summary>What was written while the job was made ready.</summary>
    Build = 3,
}

/// <summary>One line that a job wrote.</summary>
/// <param name="TaskIndex">Which task wrote it.</param>
/// <param name="Fence">Which attempt wrote it.</param>
/// <param name="Stream">Where it wrote it.</param>
/// <param name="Number">The line's number in that stream of that attempt, from 0.</param>
/// <param name="Time">When the worker read it.</param>
/// <param name="Text">The line without its line feed.</param>
public sealed record JobLogLine(int TaskIndex, Fence Fence, JobLogStream Stream, long Number, DateTimeOffset Time, string Text)
{
    /// <summary>A line that goes on in the next one: it was longer than 64 KiB.</summary>
    public bool IsPartial { get; init; }

    /// <summary>So many lines were given up here; <see cref="Text"/> says so. 0 for a real line.</summary>
    public int MissingLines { get; init; }

    /// <summary>Set on the last line of a piece: the log can be resumed exactly after it.</summary>
    public string? Cursor { get; init; }
}
