using System.Text;

namespace Fluster.Cluster;

/// <summary>A job's failure as the message of an exception: what happened, what it threw, what it wrote last.</summary>
internal static class FailureText
{
    public static string Of(JobStatus status)
    {
        var text = new StringBuilder($"{status.Id} ended {status.State}");
        if (status.Failure is not { } failure)
        {
            return text.Append('.').ToString();
        }

        text.Append($": {failure.Message}");
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
