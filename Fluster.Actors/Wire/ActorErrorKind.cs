namespace Fluster.Actors;

/// <summary>The kinds of reasons for which a call returns no value. Numbers are those of the wire.</summary>
public enum ActorErrorKind
{
    /// <summary>The method threw.</summary>
    Exception = 1,

    /// <summary>The server has no such actor, or the actor no such method.</summary>
    NotFound = 2,

    /// <summary>The arguments do not fit the method.</summary>
    InvalidArgument = 3,

    /// <summary>The method returned what cannot be written.</summary>
    Result = 4,

    /// <summary>The actor is another one than the caller resolved: it was restarted. The method did not run.</summary>
    Stale = 5,

    /// <summary>Too many calls wait, or a limit on sizes was passed. The method did not run.</summary>
    ResourceExhausted = 6,

    /// <summary>The time was over. When it was over before the method began, it did not run.</summary>
    DeadlineExceeded = 7,

    /// <summary>The caller cancelled.</summary>
    Cancelled = 8,

    /// <summary>The call waits for itself: a call of its own chain holds the actor. The method did not run.</summary>
    Deadlock = 9,

    /// <summary>Whether the method ran cannot be known any more.</summary>
    OutcomeUnknown = 10,

    /// <summary>The server stops and takes no more calls. The method did not run.</summary>
    ShuttingDown = 11,

    /// <summary>The caller may not call: its attempt was superseded, or its token does not count. The method did not run.</summary>
    PermissionDenied = 12,
}
