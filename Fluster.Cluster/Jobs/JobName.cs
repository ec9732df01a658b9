using System.Diagnostics.CodeAnalysis;

namespace Fluster.Cluster;

/// <summary>The rule for names that become part of an id: <c>[a-z0-9][a-z0-9._-]{0,62}</c>.</summary>
internal static class JobName
{
    public const int MaxLength = 63;

    public static bool IsValid([NotNullWhen(true)] string? text, int maxLength = MaxLength)
    {
        if (text is null || text.Length == 0 || text.Length > maxLength || !char.IsAsciiLetterLower(text[0]) && !char.IsAsciiDigit(text[0]))
        {
            return false;
        }

        foreach (var c in text)
        {
            if (!char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c is not ('.' or '_' or '-'))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>What is wrong with a name, as a sentence; null when nothing is.</summary>
    public static string? Problem(string? text) => text switch
    {
        null or "" => "A job needs a name.",
        _ when text.Contains('/', StringComparison.Ordinal) => $"'{text}' is not a job name: '/' separates the parts of a job id and cannot be in a name.",
        { Length: > MaxLength } => $"'{text}' is not a job name: it has {text.Length} characters, and {MaxLength} are allowed.",
        _ when !IsValid(text) => $"'{text}' is not a job name: it may have lower-case letters, digits, '.', '_' and '-', and starts with a letter or digit.",
        _ => null,
    };
}
