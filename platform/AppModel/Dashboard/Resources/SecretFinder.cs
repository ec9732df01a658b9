using System.Text.RegularExpressions;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Dashboard;

/// <summary>
/// Says which values are secrets: those in which a secret parameter is, those that look like one, and those whose name says so. What is one is not
/// sent to browsers. It errs on the side of silence.
/// </summary>
internal sealed partial class SecretFinder(DistributedApplicationModel model)
{
    private const int ShortestSecret = 4;

    public bool IsSecret(string name, string? value) =>
        !string.IsNullOrEmpty(value) && (SecretName().IsMatch(name) || SecretValue().IsMatch(value) || Secrets().Any(secret => value.Contains(secret, StringComparison.Ordinal)));

    private IEnumerable<string> Secrets() => model.Resources.OfType<ParameterResource>().Where(parameter => parameter.Secret).Select(ValueOf).OfType<string>();

    private static string? ValueOf(ParameterResource parameter)
    {
        try
        {
            return parameter.Value is { Length: >= ShortestSecret } value ? value : null;
        }
        catch (DistributedApplicationException)
        {
            return null; // It has no value: nothing to hide.
        }
    }

    [GeneratedRegex(@"(?i)(password|passwd|pwd|secret|token|credential|api_?-?key|private_?-?key|cluster_?key|access_?key|otlp_headers$)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex SecretName();

    // In connection strings, in addresses (redis://:password@host), in PEM, and tokens (JWT).
    [GeneratedRegex(@"(?i)(\b(password|pwd|token|secret|\w*key)\s*=)|(://[^/\s:@]*:[^/\s@]+@)|(-----BEGIN [A-Z ]*PRIVATE KEY)|(\beyJ[\w-]+\.[\w-]+\.)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex SecretValue();
}
