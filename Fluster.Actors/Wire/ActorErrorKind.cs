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

    /// <summary>The method returned what cannot be written as JSON.</summary>
    Result = 4,
}
