using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Fluster.GcpEmulator;

/// <summary>
/// The metadata server. A real one is the same address on every machine and knows who asks; this one is one address for each machine:
/// <c>http://EMULATOR/_vm/HOST/computeMetadata/v1/</c>, so <c>GCE_METADATA_HOST=EMULATOR/_vm/HOST</c>.
/// </summary>
internal static class MetadataRoutes
{
    private const string Flavor = "Metadata-Flavor";
    private const string Google = "Google";

    private static readonly TimeSpan s_pollInterval = TimeSpan.FromMilliseconds(20);

    public static void Map(IEndpointRouteBuilder app, EmulatedCloud cloud, TimeProvider time) =>
        app.MapGet("/_vm/{host}/computeMetadata/v1/{**path}", async (HttpContext context, string host, string? path) =>
        {
            context.Response.Headers[Flavor] = Google;
            if (context.Request.Headers[Flavor] != Google)
            {
                return Results.Text($"Missing required header \"{Flavor}: {Google}\".", statusCode: StatusCodes.Status403Forbidden);
            }

            var query = context.Request.Query;
            var mustChange = query["wait_for_change"] == "true";
            var last = query["last_etag"].ToString();
            var patience = int.TryParse(query["timeout_sec"], NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? TimeSpan.FromSeconds(seconds) : Timeout.InfiniteTimeSpan;
            var start = time.GetTimestamp();
            while (true)
            {
                var value = Read(cloud, host, path ?? "");
                if (value is null)
                {
                    return Results.Text("Not found", statusCode: StatusCodes.Status404NotFound);
                }

                var etag = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(value)))[..16];
                last = mustChange && last.Length == 0 ? etag : last; // without one, the next change counts
                if (!mustChange || last != etag || patience != Timeout.InfiniteTimeSpan && time.GetElapsedTime(start) >= patience)
                {
                    context.Response.Headers.ETag = etag;
                    return Results.Text(value, value.StartsWith('{') ? "application/json" : "application/text");
                }

                await Task.Delay(s_pollInterval, time, context.RequestAborted);
            }
        });

    private static string? Read(EmulatedCloud cloud, string host, string path)
    {
        lock (cloud.Gate)
        {
            cloud.Advance();
            return cloud.Machines.FirstOrDefault(machine => machine.Host == host && !machine.IsGone) is { } machine ? Value(machine, path) : null;
        }
    }

    private static string? Value(EmulatedMachine machine, string path) => path.Split('/') switch
    {
        ["instance", "id"] => machine.Id,
        ["instance", "name"] => machine.Host,
        ["instance", "hostname"] => $"{machine.Host}.{machine.Zone}.c.{machine.Project}.internal",
        ["instance", "zone"] => $"projects/123456789012/zones/{machine.Zone}",
        ["instance", "machine-type"] => $"projects/123456789012/machineTypes/{machine.MachineType}",
        ["instance", "preempted"] => machine.IsPreempted ? "TRUE" : "FALSE",
        ["instance", "maintenance-event"] => machine.MaintenanceEvent,
        ["instance", "scheduling", "preemptible"] => machine.IsSpot ? "TRUE" : "FALSE",
        ["instance", "scheduling", "automatic-restart"] => machine.IsSpot ? "FALSE" : "TRUE",
        ["instance", "attributes", ""] => string.Concat(machine.Attributes.Keys.Order(StringComparer.Ordinal).Select(key => key + "\n")),
        ["instance", "attributes", var key] => machine.Attributes.GetValueOrDefault(key),
        ["instance", "network-interfaces", "0", "ip"] => machine.Address,
        ["instance", "network-interfaces", "0", "access-configs", "0", "external-ip"] => machine.ExternalAddress,
        ["instance", "service-accounts", "default", "email"] => $"123456789012-compute@developer.gserviceaccount.com",
        ["instance", "service-accounts", "default", "token"] => JsonSerializer.Serialize(new Dictionary<string, object>(StringComparer.Ordinal) { ["access_token"] = $"ya29.emulated-{machine.Id}", ["expires_in"] = 3599, ["token_type"] = "Bearer" }),
        ["project", "project-id"] => machine.Project,
        ["project", "numeric-project-id"] => "123456789012",
        _ => null,
    };
}
