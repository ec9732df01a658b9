using System.Globalization;
using System.Net.Http.Headers;
using System.Runtime.Versioning;
using System.Text;
using Fluster.Cluster;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>What a job was given in secret, and tokens, are in no answer, on no page and in no log.</summary>
[SupportedOSPlatform("linux")]
public class SecretsTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    /// <summary>Those that hand out what they were given under its hash: whoever knows the hash of a secret knows the secret.</summary>
    private static readonly string[] s_contentAddressed = ["GetBlob"];

    [Fact]
    public async Task SecretsOfAJob_AreInNoAnswerPageOrLog()
    {
        var secret = $"secret-{Guid.NewGuid():N}";
        var loud = new Dictionary<string, string?>(StringComparer.Ordinal) { ["Logging__LogLevel__Default"] = "Debug", ["Logging__LogLevel__Fluster"] = "Trace" };
        using var directory = new TemporaryDirectory();
        await using var cluster = await TestCluster.StartAsync(1, loud, loud);
        var controller = cluster.Controller;
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash($"umask 077; echo \"$FLUSTER_TOKEN\" > {directory.File("token")}; test -n \"$API_KEY\"; echo done; exit 3") with
        {
            Environment = new JobEnvironment { Variables = new Dictionary<string, string>(StringComparer.Ordinal) { ["API_KEY"] = secret } },
        });
        var waiting = await cluster.Client.SubmitAsync(TestCluster.Bash("true", "waiting") with
        {
            Environment = new JobEnvironment { Variables = new Dictionary<string, string>(StringComparer.Ordinal) { ["API_KEY"] = secret } },
            Resources = ResourceSpec.WithCpu(1000),
        });
        Assert.Equal(3, (await cluster.Client.WaitAsync(job.Id)).ExitCode);
        string[] secrets = [secret, Signature(await File.ReadAllTextAsync(directory.File("token"))), Signature(controller.AdminToken), Signature(controller.WorkerToken("worker-1"))];
        Assert.All(secrets, text => Assert.True(text.Length > 30, text));

        using var channel = controller.Channel();
        var asked = new List<string>();
        foreach (var method in RawRpc.Methods(V1.ControllerService.Descriptor).Where(IsRead))
        {
            foreach (var id in (JobId[])[job.Id, waiting.Id])
            {
                var patience = method.IsServerStreaming ? TimeSpan.FromSeconds(2) : s_patience;
                var answer = await RawRpc.CallAsync(channel, method, [RequestFor(method.InputType, id).ToByteArray()], controller.Headers(), patience);
                asked.Add($"{method.Name}: {answer.Status.StatusCode}, {answer.Messages.Count} messages");
                Nowhere(secrets, $"{method.Name}: {string.Join('\n', answer.Messages.Select(Encoding.Latin1.GetString))} {answer.Status.Detail}");
            }
        }

        // The questions were understood: a test that is refused everywhere finds nothing.
        Assert.Contains("GetJobStatus: OK, 1 messages", asked);
        Assert.Contains("ListJobs: OK, 1 messages", asked);
        Assert.Contains("ListWorkers: OK, 1 messages", asked);
        Assert.Contains("StreamLogs: OK, 1 messages", asked);
        Assert.Contains("WatchJob: OK, 1 messages", asked);

        using var http = new HttpClient { BaseAddress = new Uri(controller.HttpAddress) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", controller.AdminToken);
        foreach (var page in (string[])["/", "/health", "/alive", "/jobs", $"/job?id={job.Id}", $"/job?id={waiting.Id}"])
        {
            Nowhere(secrets, await http.GetStringAsync(page));
        }

        // What is refused is not repeated either, whatever is wrong with it.
        var refusal = await Assert.ThrowsAsync<RpcException>(async () =>
            await ControllerProcess.Service(channel).ListJobsAsync(new V1.ListJobsRequest(), controller.Headers(controller.AdminToken + "x")));
        Nowhere(secrets, refusal.ToString());
        Nowhere(secrets, controller.Process.Output);
        Nowhere(secrets, cluster.Workers[0].Process.Output);
        Assert.Contains("dbug", controller.Process.Output, StringComparison.Ordinal);

        // What has to keep secrets keeps them from everybody else on the machine.
        Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(controller.DataDirectory) & (UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(cluster.Workers[0].DataDirectory, "worker.json")));
    }

    [Fact]
    public void Options_Printed_DoNotShowTheToken() =>
        Assert.DoesNotContain("very-secret", new FlusterClientOptions { Address = "http://h:1", Token = "very-secret" }.ToString(), StringComparison.Ordinal);

    /// <summary>Everything but what changes something, and the workers' own streams.</summary>
    private static bool IsRead(MethodDescriptor method) =>
        !method.IsClientStreaming && !s_contentAddressed.Contains(method.Name, StringComparer.Ordinal)
        && ((string[])["Get", "List", "Watch", "Stream", "Lookup", "Has", "Explain"]).Any(verb => method.Name.StartsWith(verb, StringComparison.Ordinal));

    /// <summary>A question about a job that a method understands, by the names of its fields.</summary>
    private static IMessage RequestFor(MessageDescriptor type, JobId job)
    {
        var request = (IMessage)Activator.CreateInstance(type.ClrType)!;
        foreach (var field in type.Fields.InDeclarationOrder())
        {
            switch (field.Name)
            {
                case "job_id":
                    field.Accessor.SetValue(request, job.ToString());
                    break;
                case "namespace" when type.Name.Contains("Jobs", StringComparison.Ordinal):
                    field.Accessor.SetValue(request, "*");
                    break;
            }
        }

        return request;
    }

    /// <summary>The part of a token that makes it one.</summary>
    private static string Signature(string token) => token.Trim().Split('.')[2];

    private static void Nowhere(string[] secrets, string text)
    {
        foreach (var secret in secrets)
        {
            var place = text.IndexOf(secret, StringComparison.Ordinal);
            Assert.True(place < 0, place < 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"A secret is at {place}: …{text[Math.Max(0, place - 200)..place]}"));
        }
    }
}
