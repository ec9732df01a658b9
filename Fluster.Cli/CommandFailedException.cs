namespace Fluster.Cli;

/// <summary>A command cannot go on. The message is one line for the user.</summary>
internal sealed class CommandFailedException(string message) : Exception(message);
