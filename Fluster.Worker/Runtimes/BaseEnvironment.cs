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

    private static readonly string[] s_tpuPrefixes = ["TPU_", "JAX_", "MEGASCALE_"];

    private const string DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// <summary>What the machine's start-up found out about the TPU slice that it is part of, for JAX and others: nothing elsewhere.</summary>
    public static Dictionary<string, string> TpuOf(IDictionary variables) => variables.Cast<DictionaryEntry>()
        .Where(variable => (string)variable.Key == "PJRT_DEVICE" || s_tpuPrefixes.Any(prefix => ((string)variable.Key).StartsWith(prefix, StringComparison.Ordinal)))
        .ToDictionary(variable => (string)variable.Key, variable => (string?)variable.Value ?? "", StringComparer.Ordinal);

    public static Dictionary<string, string> Of(IDictionary variables)
    {
        var kept = variables.Cast<DictionaryEntry>()
            .Where(variable => s_names.Contains((string)variable.Key) || ((string)variable.Key).StartsWith("LC_", StringComparison.Ordinal))
            .ToDictionary(variable => (string)variable.Key, variable => (string?)variable.Value ?? "", StringComparer.Ordinal);
        kept.TryAdd("PATH", DefaultPath);
        return kept;
    }
}
