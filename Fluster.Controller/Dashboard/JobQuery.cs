using System.Globalization;

namespace Fluster.Controller;

/// <summary>Which jobs a list is to show.</summary>
internal sealed record JobQuery
{
    /// <summary>The value of the state field that means all that have not ended.</summary>
    public const string Live = "live";

    /// <summary>A state's name, <see cref="Live"/>, or empty: any.</summary>
    public string State { get; init; } = "";

    /// <summary>Part of a job's id, in any case of letters; empty: any.</summary>
    public string Name { get; init; } = "";

    /// <summary>Null: all that the caller may see.</summary>
    public Namespace? Namespace { get; init; }

    /// <summary>Only this job and those below it; null: all.</summary>
    public JobId? Within { get; init; }

    /// <summary>Only jobs that are older than the one with this uid.</summary>
    public long Before { get; init; } = long.MaxValue;

    /// <summary>Jobs at the top, with those below them: what is shown when nothing else is asked for.</summary>
    public bool IsTree => State.Length == 0 && Name.Length == 0 && Within is null;

    /// <summary>What an address asks for. What cannot be read is left out: an address is easily cut off.</summary>
    public static JobQuery Of(IQueryCollection query)
    {
        var (state, name, @namespace, within) = (query["state"].ToString(), query["name"].ToString().Trim(), query["namespace"].ToString(), query["within"].ToString().Trim());
        return new JobQuery
        {
            State = state == Live || Enum.TryParse<JobState>(state, out _) ? state : "",
            Name = name,
            Namespace = @namespace.Length > 0 && Cluster.Namespace.IsValid(@namespace) ? Cluster.Namespace.Parse(@namespace) : null,
            Within = JobId.TryParse(within, out var id) ? id : null,
            Before = long.TryParse(query["before"], NumberStyles.None, CultureInfo.InvariantCulture, out var before) && before > 0 ? before : long.MaxValue,
        };
    }

    /// <summary>The address of this list.</summary>
    public string ToUrl()
    {
        var parts = ((string Name, string Value)[])[
            ("state", State), ("name", Name), ("namespace", Namespace?.ToString() ?? ""), ("within", Within?.ToString() ?? ""),
            ("before", Before == long.MaxValue ? "" : Before.ToString(CultureInfo.InvariantCulture))];
        var query = string.Join('&', parts.Where(part => part.Value.Length > 0).Select(part => $"{part.Name}={Uri.EscapeDataString(part.Value)}"));
        return query.Length == 0 ? "/jobs" : "/jobs?" + query;
    }

    public bool HasState(JobRecord job) => State.Length == 0 || (State == Live ? job.IsLive : job.State.ToString() == State);

    /// <summary>Whether a job is among those that are counted by state.</summary>
    public bool IsInScope(JobRecord job) =>
        (Namespace is null || job.Namespace == Namespace)
        && (Within is not { } ancestor || job.Id.IsWithin(ancestor))
        && (Name.Length == 0 || job.Id.ToString().Contains(Name, StringComparison.OrdinalIgnoreCase));
}
