using System.Diagnostics;
using System.Runtime.Versioning;
using Fluster.Worker;

namespace Fluster.Tests;

/// <summary>What a .NET job left is read as its result, and nothing else is that it may have put there.</summary>
[SupportedOSPlatform("linux")]
public sealed class JobHostOutcomeTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    [Fact]
    public void Result_PlainFile_IsRead()
    {
        File.WriteAllText(_directory.File("result.json"), "42");

        Assert.Equal("42"u8.ToArray(), Read(exitCode: 0).Result?.ToArray());
    }

    [Theory]
    [InlineData("result.json", 0)]
    [InlineData("exception.json", 1)]
    [InlineData("fault.json", 125)]
    public async Task Pipe_InPlaceOfTheFile_IsNotWaitedFor(string name, int exitCode)
    {
        using (var mkfifo = Process.Start("mkfifo", [_directory.File(name)]))
        {
            await mkfifo.WaitForExitAsync();
        }

        var end = await Task.Run(() => Read(exitCode)).WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System);

        Assert.Equal((null, null, null), (end.Result, end.Exception, end.Failure));
    }

    [Fact]
    public void Link_InPlaceOfTheFile_IsNotFollowed()
    {
        File.WriteAllText(_directory.File("secret"), "secret");
        File.CreateSymbolicLink(_directory.File("result.json"), _directory.File("secret"));

        Assert.Null(Read(exitCode: 0).Result);
    }

    public void Dispose() => _directory.Dispose();

    private AttemptEnd Read(int exitCode) => Worker.JobHostOutcome.ReadInto(new AttemptEnd { At = default, ExitCode = exitCode }, _directory.Path);
}
