using System.Text;
using Fluster.Cluster;
using Fluster.Controller;
using Microsoft.Data.Sqlite;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>Jobs that ended long ago leave the state, and are listed all the same when somebody asks.</summary>
public class ArchiveTests
{
    private const string Secret = "a-secret-of-the-job";

    [Fact]
    public async Task ListJobs_WithArchived_GoesOnInTheArchive_PageByPage_NewestFirst()
    {
        await using var controller = await ControllerProcess.StartAsync();
        var ids = await EndedJobsAsync(controller, 5);
        await ArchiveAsync(controller, keep: 2);

        await using var client = controller.Client();
        Assert.Equal([ids[4], ids[3]], await ListAsync(client, new JobFilter()));
        Assert.Equal([ids[4], ids[3], ids[2], ids[1], ids[0]], await ListAsync(client, new JobFilter { IncludeArchived = true }));
        Assert.Equal([ids[1]], await ListAsync(client, new JobFilter { IncludeArchived = true, Within = ids[1] }));
        Assert.Empty(await ListAsync(client, new JobFilter { IncludeArchived = true, States = [JobState.Succeeded] }));
        Assert.Empty(await ListAsync(client, new JobFilter { IncludeArchived = true, Namespace = Namespace.Parse("another") }));

        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        var pages = new List<string[]>();
        var request = new V1.ListJobsRequest { PageSize = 2, IncludeArchived = true };
        do
        {
            var page = await service.ListJobsAsync(request, controller.Headers());
            Assert.DoesNotContain(Secret, page.ToString(), StringComparison.Ordinal);
            pages.Add([.. page.Jobs.Select(job => job.JobId)]);
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
        Assert.Equal([2, 2, 1], pages.Select(page => page.Length));
        Assert.Equal(Enumerable.Reverse(ids).Select(id => id.ToString()), pages.SelectMany(page => page));

        using var directory = new TemporaryDirectory();
        var context = await CliProcess.WriteContextAsync(directory.Path, controller.GrpcAddress, controller.AdminToken);
        using var all = CliProcess.Start(context, "job", "list", "--all");
        Assert.Equal(0, await all.ExitAsync());
        Assert.All(ids, id => Assert.Contains(id.ToString(), all.Out, StringComparison.Ordinal));
        using var some = CliProcess.Start(context, "job", "list");
        Assert.Equal(0, await some.ExitAsync());
        Assert.DoesNotContain(ids[0].ToString(), some.Out, StringComparison.Ordinal);
    }

    private static async Task<IReadOnlyList<JobId>> EndedJobsAsync(ControllerProcess controller, int count)
    {
        await using var client = controller.Client();
        var ids = new List<JobId>();
        for (var i = 0; i < count; i++)
        {
            var job = await client.SubmitAsync(new JobRequest
            {
                Name = $"old{i}",
                Entrypoint = JobEntrypoint.Command("true"),
                Environment = new JobEnvironment { Variables = new Dictionary<string, string>(StringComparer.Ordinal) { ["KEY"] = Secret } },
            });
            await job.TerminateAsync();
            ids.Add(job.Id);
        }

        return ids;
    }

    /// <summary>Archives as time would, and starts the controller again.</summary>
    private static async Task ArchiveAsync(ControllerProcess controller, int keep)
    {
        await controller.StopAsync();
        using (var lab = new LoopLab(controller.DataDirectory))
        {
            lab.Start();
            await lab.Loop.ApplyAsync(new ClusterInput.ArchiveJobs(keep), CancellationToken.None);
        }

        Assert.DoesNotContain(Secret, ArchiveOf(controller), StringComparison.Ordinal);
        await controller.StartAsync();
    }

    /// <summary>All rows of the archive as they are on the disk.</summary>
    private static string ArchiveOf(ControllerProcess controller)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(controller.DataDirectory, "state.db")};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT body FROM archive";
        using var reader = command.ExecuteReader();
        var bodies = new StringBuilder();
        while (reader.Read())
        {
            bodies.Append(Encoding.Latin1.GetString((byte[])reader[0]));
        }

        Assert.Contains("old0", bodies.ToString(), StringComparison.Ordinal);
        return bodies.ToString();
    }

    private static async Task<IReadOnlyList<JobId>> ListAsync(FlusterClient client, JobFilter filter)
    {
        var ids = new List<JobId>();
        await foreach (var job in client.ListAsync(filter))
        {
            ids.Add(job.Id);
        }

        return ids;
    }
}
