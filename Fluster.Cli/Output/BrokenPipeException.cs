namespace Fluster.Cli;

/// <summary>Whoever read what fluster writes has gone away, as <c>head</c> does when it has enough.</summary>
internal sealed class BrokenPipeException(IOException cause) : Exception(cause.Message, cause);
