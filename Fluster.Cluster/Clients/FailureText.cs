using System.Text;

namespace Fluster.Cluster;

/// <summary>A job's failure as the message of an exception: what happened, what it threw, what it wrote last.</summary>
internal static class FailureText
{
    /// <summary>How a job ended, in a few words: <c>Failed: Exit code: 3</c>.</summary>
    public static string Short(JobStatus status) =>
        status.Failure?.Message is not { } why ? $"{status.State}"
        : why.StartsWith($"{status.State}: ", StringComparison.Ordinal) ? why // it says so itself
        : $"{status.State}: {why}";

    public static string Of(JobStatus status)
    {
        var text = new StringBuilder($"{status.Id} ended {Short(status)}");
        if (status.Failure is not { } failure)
        {
            return text.Append('.').ToString();
        }

        if (failure.Exception is { } exception)
        {
            text.Append($"\n{exception.Type}: {exception.Message}\n{exception.Stack}".TrimEnd());
        }
        else if (failure.LastLines.Count > 0)
        {
            text.Append("\nIts last lines:\n  ").AppendJoin("\n  ", failure.LastLines);
        }

        return text.ToString();
    }
}
