namespace Fluster.Cluster;

/// <summary>What a backend says of a machine. Whether a worker is on it is for the controller to know.</summary>
public enum VmStatus
{
    /// <summary>The backend knows of it and cannot tell more.</summary>
    Unknown = 0,

    /// <summary>It is being made, or boots.</summary>
    Creating = 1,

    /// <summary>It runs; on TPU, the whole slice does.</summary>
    Running = 2,

    /// <summary>It is being stopped or deleted.</summary>
    Stopping = 3,

    /// <summary>It does not run and will not again by itself, and still exists: it was stopped, or the cloud took it away and left the rest.</summary>
    Stopped = 4,
}

/// <summary>A machine as its backend sees it (seed 003, stage 1).</summary>
/// <param name="Id">Its name.</param>
/// <param name="Status">What it is doing.</param>
public sealed record VmInfo(VmId Id, VmStatus Status)
{
    /// <summary>Where it is, for example <c>us-central1-a</c>; empty for backends without zones.</summary>
    public string Zone { get; init; } = "";

    /// <summary>What kind of machine it is, in the backend's words, for example <c>n2-standard-4</c>.</summary>
    public string Shape { get; init; } = "";

    /// <summary>Its addresses, one for each of its hosts that has one.</summary>
    public IReadOnlyList<string> Addresses { get; init; } = [];

    /// <summary>When it was asked for, by the backend's clock; null where that is not known.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>Whether the cloud took it away.</summary>
    public bool IsPreempted { get; init; }

    /// <summary>What the backend says of it that a person should read; empty when there is nothing.</summary>
    public string Detail { get; init; } = "";
}

/// <summary>The machines of a cluster that a backend has.</summary>
/// <param name="Vms">Those that it told of.</param>
/// <param name="IsComplete">Whether it has no others. A list that is not complete never means that a machine is gone.</param>
public sealed record VmListing(IReadOnlyList<VmInfo> Vms, bool IsComplete);
