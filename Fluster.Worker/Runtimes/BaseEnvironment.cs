using System.Collections;

namespace Fluster.Worker;

/// <summary>
/// What a job sees of the worker's own environment: what programs need to run on this machine, by name. Everything else may be a secret
/// (a token, a connection string) and stays with the worker.
/// </summary>
internal static class BaseEnvironment
{
    private static readonly string[] s_names =
    [
        "DOTNET_CLI_TELEMETRY_OPTOUT", "DOTNET_NOLOGO", "DOTNET_ROOT", "DOTNET_ROOT_X64", "DOTNET_ROOT_ARM64", "HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LOGNAME", "PATH",
        "SHELL", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ", "USER",
    ];

    private const string DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    public static Dictionary<string, string> Of(IDictionary variables)
    {
        var kept = variables.Cast<DictionaryEntry>()
            .Where(variable => s_names.Contains((string)variable.Key) || ((string)variable.Key).StartsWith("LC_", StringComparison.Ordinal))
            .ToDictionary(variable => (string)variable.Key, variable => (string?)variable.Value ?? "", StringComparer.Ordinal);
        kept.TryAdd("PATH", DefaultPath);
        return kept;
    }
}
