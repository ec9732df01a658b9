using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Fluster.Backends;

/// <summary>
/// What a machine runs at every boot to become a worker: <c>worker-startup.sh</c> with the machine's own values. It goes into the machine's metadata, where
/// whoever may read that reads the machine's token; which is why that token lets in one worker only, once.
/// </summary>
internal static partial class StartupScript
{
    /// <summary>Google's limit for one value of a machine's metadata.</summary>
    private const int MostBytes = 256 * 1024;

    private const string TokenVariable = "Fluster__Worker__Token";
    private const string CertificateVariable = "Fluster__Worker__CertificateHash";
    private const string DotnetInstall = "https://dot.net/v1/dotnet-install.sh";
    private const string DotnetChannel = "10.0";

    private static readonly string s_template = ReadTemplate();

    /// <summary>The script for one machine.</summary>
    /// <exception cref="ArgumentException">A variable's name is none, or the script is longer than a machine's metadata may be.</exception>
    public static string Write(VmRequest request, GcpOptions options)
    {
        var environment = Environment(request);
        var token = environment.GetValueOrDefault(TokenVariable, "");
        var certificate = environment.GetValueOrDefault(CertificateVariable) ?? TokenClaims.ReadUnchecked(token)?.CertificateHash ?? "";
        var isTls = request.Package?.Source.Scheme == Uri.UriSchemeHttps;

        var settings = new StringBuilder()
            .Append(Assignment("fluster_vm", request.Id.ToString()))
            .Append(Assignment("fluster_tpu", request.Offer.Resources.Device is Device.Tpu tpu ? tpu.Variant : ""))
            .Append(Assignment("fluster_package", request.Package?.Source.AbsoluteUri ?? ""))
            .Append(Assignment("fluster_sha256", request.Package?.Sha256 ?? ""))
            .Append(Assignment("fluster_token", token))
            .Append(Assignment("fluster_certificate", isTls ? certificate.ToLowerInvariant() : ""))
            .Append(Assignment("fluster_metadata_host", options.MetadataHost))
            .Append(Assignment("fluster_dotnet_install", DotnetInstall))
            .Append(Assignment("fluster_dotnet_channel", DotnetChannel))
            .Append("fluster_environment() {\n  cat <<'END_OF_FLUSTER_ENVIRONMENT'\n");
        foreach (var (name, value) in environment.OrderBy(variable => variable.Key, StringComparer.Ordinal))
        {
            settings.Append("export ").Append(Assignment(name, value));
        }

        settings.Append("END_OF_FLUSTER_ENVIRONMENT\n}\n");
        var script = s_template.Replace("#@settings@\n", settings.ToString(), StringComparison.Ordinal);
        return Encoding.UTF8.GetByteCount(script) <= MostBytes
            ? script
            : throw new ArgumentException($"The start-up script of {request.Id} is longer than the {MostBytes} bytes that a machine's metadata may have.", nameof(request));
    }

    /// <summary>What the worker finds in its environment: what the offer says of it, unless the controller says otherwise.</summary>
    private static Dictionary<string, string> Environment(VmRequest request)
    {
        var resources = request.Offer.Resources;
        var environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["Fluster__Worker__Cpu"] = (resources.CpuMillis / 1000m).ToString(CultureInfo.InvariantCulture),
            ["Fluster__Worker__Memory"] = resources.Memory.Bytes.ToString(CultureInfo.InvariantCulture),
            ["Fluster__Worker__Preemptible"] = resources.Preemptible ? "true" : "false",
        };
        if (resources.Regions is [var region, ..])
        {
            environment["Fluster__Worker__Region"] = region;
        }

        switch (resources.Device)
        {
            case Device.Gpu gpu:
                environment["Fluster__Worker__Gpus"] = gpu.Count.ToString(CultureInfo.InvariantCulture);
                environment["Fluster__Worker__GpuVariant"] = gpu.Variant;
                break;
            case Device.Tpu tpu:
                environment["Fluster__Worker__TpuVariant"] = tpu.Variant;
                break;
        }

        foreach (var (name, value) in request.WorkerEnvironment)
        {
            environment[name] = value;
        }

        environment.Remove("Fluster__Worker__Id"); // the machine's name, and on TPU the number of the machine in its slice: the script knows
        return environment;
    }

    private static string Assignment(string name, string value)
    {
        if (!VariableName().IsMatch(name))
        {
            throw new ArgumentException($"'{name}' is not the name of an environment variable.", nameof(name));
        }

        if (value.Contains('\0', StringComparison.Ordinal) || value.Split('\n').Contains("END_OF_FLUSTER_ENVIRONMENT"))
        {
            throw new ArgumentException($"The value of {name} cannot be written into a script.", nameof(value));
        }

        return $"{name}='{value.Replace("'", "'\\''", StringComparison.Ordinal)}'\n";
    }

    private static string ReadTemplate()
    {
        using var stream = typeof(StartupScript).Assembly.GetManifestResourceStream("worker-startup.sh")!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_]*$", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex VariableName();
}
