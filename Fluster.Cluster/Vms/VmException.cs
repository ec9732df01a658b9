namespace Fluster.Cluster;

/// <summary>Why a backend could not do something.</summary>
public enum VmFailureKind
{
    /// <summary>Nothing better is known. As serious as a lack of machines: never tried again at once.</summary>
    Unknown = 0,

    /// <summary>The cloud has no such machines left there.</summary>
    Stockout = 1,

    /// <summary>The project may not have more.</summary>
    Quota = 2,

    /// <summary>Too many requests: the same one later succeeds.</summary>
    RateLimited = 3,

    /// <summary>The account may not do this, or not there.</summary>
    Permission = 4,

    /// <summary>The request makes no sense to the backend: a wrong configuration.</summary>
    Invalid = 5,

    /// <summary>The backend is not well, or was not reached: the same request later may succeed.</summary>
    Transient = 6,

    /// <summary>The cloud took the machine away while it was being made.</summary>
    Preempted = 7,

    /// <summary>Somebody else's machine has the name.</summary>
    NameTaken = 8,
}

/// <summary>A backend could not make, remove or find machines.</summary>
/// <param name="kind">Why.</param>
/// <param name="message">What a person should read: the cloud's words, and what to do.</param>
/// <param name="innerException">What was behind it.</param>
public sealed class VmException(VmFailureKind kind, string message, Exception? innerException = null) : Exception(message, innerException)
{
    /// <summary>Why.</summary>
    public VmFailureKind Kind { get; } = kind;

    /// <summary>What it is about: one of the offer's <see cref="VmOffer.Scopes"/>. Empty: only this request.</summary>
    public string Scope { get; init; } = "";

    /// <summary>Whether there may be a machine in spite of it.</summary>
    public bool MayExist { get; init; }

    /// <summary>How long the backend asks to wait before it is tried again; null where it does not say.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
