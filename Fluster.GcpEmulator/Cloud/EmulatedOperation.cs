namespace Fluster.GcpEmulator;

/// <summary>Something that takes its time. Guarded by the cloud's lock.</summary>
internal sealed class EmulatedOperation
{
    public required string Project { get; init; }

    public required string Zone { get; init; }

    public required string Name { get; init; }

    public required string Id { get; init; }

    /// <summary>insert, delete, create, …</summary>
    public required string Verb { get; init; }

    /// <summary>The path of what it is about.</summary>
    public required string Target { get; init; }

    public string TargetId { get; init; } = "";

    public string? RequestId { get; init; }

    public required DateTimeOffset StartedAt { get; init; }

    public required DateTimeOffset DueAt { get; set; }

    /// <summary>What is true when it has ended well.</summary>
    public Action OnDone { get; init; } = () => { };

    /// <summary>What is true when it has ended badly.</summary>
    public Action OnFailed { get; init; } = () => { };

    /// <summary>Set from the start: how it will end.</summary>
    public EmulatedProblem? Problem { get; init; }

    public DateTimeOffset? EndedAt { get; set; }

    /// <summary>What an operation of Cloud TPU answers with; null for nothing.</summary>
    public Func<System.Text.Json.JsonElement?> Response { get; init; } = () => null;

    public bool IsDone => EndedAt is not null;
}

/// <summary>Why an operation fails.</summary>
/// <param name="Code">Compute Engine's code.</param>
/// <param name="RpcCode">Cloud TPU's.</param>
/// <param name="Message">What is said.</param>
internal sealed record EmulatedProblem(string Code, int RpcCode, string Message)
{
    /// <summary>What the failure leaves behind, if anything.</summary>
    public bool LeavesMachine { get; init; }

    public ComputeQuotaInfo? Quota { get; init; }
}
