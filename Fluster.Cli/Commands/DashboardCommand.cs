using System.CommandLine;
using System.ComponentModel;
using System.Diagnostics;
using Fluster.Cluster;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Cli;

/// <summary><c>fluster cluster dashboard</c></summary>
internal static class DashboardCommand
{
    public static Command Build()
    {
        var open = new Option<bool>("--open") { Description = "Also opens it in the browser of this machine." };
        var command = new Command("dashboard", "Prints an address that logs a browser in to the pages of the cluster: once, and within a minute.") { open };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var client = FlusterCommand.Connect(parsed);
            var response = await client.Calls.CallAsync((service, options) => service.CreateLoginCodeAsync(new V1.CreateLoginCodeRequest(), options), cancellationToken);
            var url = $"{PagesOf(response.HttpAddress, client.Address)}/login?code={response.Code}";
            if (FlusterCommand.IsJson(parsed))
            {
                Output.Json(new DashboardView(new Uri(url), response.Lifetime.ToTimeSpan().TotalSeconds), ViewJson.Default.DashboardView);
            }
            else
            {
                Output.Line(url);
                Output.Note($"It logs one browser in, within {Words.Time(response.Lifetime.ToTimeSpan())}.");
            }

            if (parsed.GetValue(open))
            {
                Open(url);
            }

            return 0;
        });
        return command;
    }

    /// <summary>Where the pages are. A controller that listens everywhere says so; then it is reached at the host where its other endpoint is.</summary>
    internal static string PagesOf(string pages, string controller)
    {
        if (pages.Length == 0)
        {
            throw new CommandFailedException("The controller has no endpoint 'http' for pages (Kestrel:Endpoints:http:Url).");
        }

        var host = pages.Replace("://*", "://0.0.0.0", StringComparison.Ordinal).Replace("://+", "://0.0.0.0", StringComparison.Ordinal);
        var address = new Uri(host);
        return address.Host is "0.0.0.0" or "[::]"
            ? new UriBuilder(address) { Host = new Uri(controller).Host }.Uri.GetLeftPart(UriPartial.Authority)
            : address.GetLeftPart(UriPartial.Authority);
    }

    private static void Open(string url)
    {
        try
        {
            using var browser = Process.Start(new ProcessStartInfo(url) { UseShellExecute = true });
        }
        catch (Exception exception) when (exception is Win32Exception or InvalidOperationException)
        {
            Output.Problem($"No browser could be opened here: {exception.Message}");
        }
    }
}

/// <param name="Url">Where a browser logs in.</param>
/// <param name="Seconds">For how long that works.</param>
internal sealed record DashboardView(Uri Url, double Seconds);
