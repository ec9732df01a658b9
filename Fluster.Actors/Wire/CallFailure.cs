namespace Fluster.Actors;

/// <summary>Why a call has no value, as data.</summary>
/// <param name="Kind">What kind of reason.</param>
/// <param name="Type">The exception's type, or the kind's name.</param>
/// <param name="Message">For people.</param>
/// <param name="Stack">Where it was thrown; empty when it was not.</param>
internal sealed record CallFailure(ActorErrorKind Kind, string Type, string Message, string Stack = "")
{
    /// <summary>A reason that is no exception of the method.</summary>
    public static CallFailure Of(ActorErrorKind kind, string message) => new(kind, kind.ToString(), message);

    /// <summary>What a method, or reading its arguments, threw.</summary>
    public static CallFailure Of(Exception exception) => exception switch
    {
        ArgumentMismatchException => Of(ActorErrorKind.InvalidArgument, exception.Message),
        UnwritableResultException => Of(ActorErrorKind.Result, exception.Message),
        CallExpiredException => Of(ActorErrorKind.DeadlineExceeded, exception.Message),
        _ => new CallFailure(ActorErrorKind.Exception, exception.GetType().FullName ?? exception.GetType().Name, MessageOf(exception), exception.StackTrace ?? ""),
    };

    // An exception of the user's may throw where it should describe itself.
    private static string MessageOf(Exception exception)
    {
        try
        {
            return exception.Message;
        }
#pragma warning disable CA1031
        catch (Exception second)
#pragma warning restore CA1031
        {
            return $"(its message threw {second.GetType().Name})";
        }
    }
}

/// <summary>A method returned what cannot be written.</summary>
internal sealed class UnwritableResultException(string message, Exception innerException) : Exception(message, innerException);

/// <summary>The deadline of a call passed before its method began.</summary>
internal sealed class CallExpiredException(string message) : Exception(message);
