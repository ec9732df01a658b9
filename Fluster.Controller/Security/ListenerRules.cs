using System.Net;
using Microsoft.Extensions.Options;

namespace Fluster.Controller;

/// <summary>Tokens do not travel over a network in the clear: what others can reach has TLS, unless the owner says that it need not.</summary>
internal sealed class ListenerRules(IConfiguration configuration) : IValidateOptions<ControllerOptions>
{
    private const string Endpoints = "Kestrel:Endpoints";

    public ValidateOptionsResult Validate(string? name, ControllerOptions options)
    {
        var problems = options.AllowPlainHttp ? [] : configuration.GetSection(Endpoints).GetChildren()
            .Select(endpoint => (Path: $"{endpoint.Path}:Url", Url: endpoint["Url"] ?? ""))
            .Where(endpoint => IsPlain(endpoint.Url) && !IsLoopback(endpoint.Url))
            .Select(endpoint =>
                $"{endpoint.Path} is '{endpoint.Url}', where other machines reach the controller without TLS. Make it https (a certificate is made at the first start, " +
                $"unless {endpoint.Path[..^4]}:Certificate names one), or set {ControllerOptions.Section}:AllowPlainHttp to true.")
            .ToList();
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }

    /// <summary>Whether some endpoint has TLS and no certificate in the settings, so that it gets the controller's own.</summary>
    public static bool NeedOwnCertificate(IConfiguration configuration) =>
        !configuration.GetSection("Kestrel:Certificates:Default").Exists()
        && configuration.GetSection(Endpoints).GetChildren().Any(endpoint => !IsPlain(endpoint["Url"] ?? "") && !endpoint.GetSection("Certificate").Exists());

    private static bool IsPlain(string url) => !url.StartsWith("https:", StringComparison.OrdinalIgnoreCase);

    /// <summary>A host's name may lead anywhere; of names only "localhost" does not.</summary>
    private static bool IsLoopback(string url)
    {
        if (!Uri.TryCreate(url.Replace("://*", "://0.0.0.0", StringComparison.Ordinal).Replace("://+", "://0.0.0.0", StringComparison.Ordinal), UriKind.Absolute, out var address))
        {
            return url.StartsWith("http://unix:", StringComparison.OrdinalIgnoreCase);
        }

        return address.Host == "localhost" || IPAddress.TryParse(address.Host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip);
    }
}
