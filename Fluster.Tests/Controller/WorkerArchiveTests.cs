using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>The worker program as machines fetch it.</summary>
public sealed class WorkerArchiveTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Archive_OfTheSameFiles_HasTheSameBytes()
    {
        var first = Pack(Publish("first"));
        var second = Pack(Publish("second"));

        Assert.Equal(Convert.ToHexString(SHA256.HashData(first)), Convert.ToHexString(SHA256.HashData(second)));
        await using var reader = new TarReader(new GZipStream(new MemoryStream(first), CompressionMode.Decompress));
        var names = new List<string>();
        while (await reader.GetNextEntryAsync() is { } entry)
        {
            names.Add(entry.Name);
        }

        Assert.Equal(["Fluster.Worker.dll", "jobhost/Fluster.JobHost.dll"], names);
    }

    [Fact]
    public async Task Controller_ServesItToWorkersAlone()
    {
        var directory = Publish("published");
        await using var controller = await ControllerProcess.StartAsync(new Dictionary<string, string?>(StringComparer.Ordinal) { ["Fluster__Controller__WorkerDirectory"] = directory });
        using var http = new HttpClient { BaseAddress = new Uri(controller.HttpAddress) };

        Assert.Equal(HttpStatusCode.Unauthorized, (await http.GetAsync(new Uri(WorkerArchive.Path, UriKind.Relative))).StatusCode);
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", controller.AdminToken);
        Assert.Equal(HttpStatusCode.Forbidden, (await http.GetAsync(new Uri(WorkerArchive.Path, UriKind.Relative))).StatusCode);
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", controller.WorkerToken("worker-1"));
        using var answer = await http.GetAsync(new Uri(WorkerArchive.Path, UriKind.Relative));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(Pack(directory), await answer.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task Controller_WithoutAWorkerToServe_SaysSo()
    {
        await using var controller = await ControllerProcess.StartAsync();
        using var http = new HttpClient { BaseAddress = new Uri(controller.HttpAddress) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", controller.WorkerToken("worker-1"));

        using var answer = await http.GetAsync(new Uri(WorkerArchive.Path, UriKind.Relative));

        Assert.Equal(HttpStatusCode.Conflict, answer.StatusCode);
        Assert.Contains("Fluster:Controller:WorkerDirectory", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    private static byte[] Pack(string directory)
    {
        using var packed = new MemoryStream();
        WorkerArchive.Write(directory, packed);
        return packed.ToArray();
    }

    private string Publish(string name)
    {
        var directory = _directory.File(name);
        Directory.CreateDirectory(Path.Combine(directory, "jobhost"));
        File.WriteAllText(Path.Combine(directory, "Fluster.Worker.dll"), "worker");
        File.WriteAllText(Path.Combine(directory, "jobhost", "Fluster.JobHost.dll"), "host");
        return directory;
    }
}
