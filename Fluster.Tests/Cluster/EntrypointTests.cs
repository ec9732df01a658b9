using Fluster.Cluster;
using Microsoft.Extensions.DependencyInjection;

namespace Fluster.Tests;

/// <summary>Lambdas and methods run in a job's process with what they captured, each started by the real job host.</summary>
public class EntrypointTests
{
    private const string Prefix = "p";

    public sealed record Config(string Name, int Size, IReadOnlyList<double> Rates)
    {
        public string? Note { get; init; }
    }

    [Fact]
    public async Task Lambda_CapturesIntStringListAndRecord_ReturnsTheirUse()
    {
        var number = 7;
        var text = "tëxt \"quoted\" 𝄞";
        var list = new List<int> { 1, 2, 3 };
        var config = new Config("net", 12, [0.1, 1e-300, double.NaN]) { Note = "n" };

        var outcome = await JobHostProcess.RunAsync(() => $"{number} {text} {list.Sum()} {config.Name} {config.Size} {config.Rates[2]} {config.Note}");

        Assert.Equal("7 tëxt \"quoted\" 𝄞 6 net 12 NaN n", outcome.Result<string>());
        Assert.Equal(0, outcome.ExitCode);
    }

    [Fact]
    public async Task Lambda_Async_IsAwaited()
    {
        var (left, right) = (20, 22);

        var outcome = await JobHostProcess.RunAsync(async () =>
        {
            await Task.Yield();
            return left + right;
        });

        Assert.Equal(42, outcome.Result<int>());
    }

    [Fact]
    public async Task Lambda_ChangesWhatItCaptured_TheSubmittersCopyStays()
    {
        var list = new List<int> { 1 };

        var outcome = await JobHostProcess.RunAsync(() =>
        {
            list.Add(2);
            return list;
        });

        Assert.Equal([1, 2], outcome.Result<List<int>>());
        Assert.Equal([1], list);
    }

    [Fact]
    public async Task Lambda_NestedScopes_HaveTheirVariables()
    {
        var outer = "o";
        var outcomes = new List<string>();
        foreach (var middle in new[] { "m1", "m2" })
        {
            var inner = middle + "i";
            Func<string> nested = () => outer + middle + inner;
            outcomes.Add((await JobHostProcess.RunAsync(() => nested2(Prefix))).Result<string>());
            string nested2(string prefix) => prefix + outer + middle + inner;
            Assert.Equal("o" + middle + inner, nested());
        }

        Assert.Equal(["pom1m1i", "pom2m2i"], outcomes);
    }

    [Fact]
    public async Task Lambda_VariableOfAnotherLambda_StaysBehind()
    {
        using var file = File.OpenRead(typeof(EntrypointTests).Assembly.Location);
        var factor = 3;
        Func<long> other = () => file.Length * factor;

        var outcome = await JobHostProcess.RunAsync(() => factor * 2);

        Assert.Equal(6, outcome.Result<int>());
        Assert.True(other() > 0);
    }

    [Fact]
    public async Task Lambda_CapturesNothing_Runs() => Assert.Equal(5, (await JobHostProcess.RunAsync(() => 5)).Result<int>());

    [Fact]
    public async Task Lambda_WithoutResult_LeavesNone()
    {
        var outcome = await JobHostProcess.RunAsync(() => Console.WriteLine("said"));

        Assert.Equal(("said\n", 0, null), (outcome.Output, outcome.ExitCode, outcome.ResultJson));
    }

    [Fact]
    public async Task Lambda_ReturnsNull_ResultIsNull() => Assert.Equal("null", (await JobHostProcess.RunAsync(string? () => null)).ResultJson);

    [Fact]
    public async Task StaticMethod_WithArguments_Runs() => Assert.Equal(6, (await JobHostProcess.RunAsync(Multiply, 2, 3L)).Result<long>());

    [Fact]
    public async Task GenericMethod_OfGenericType_Runs()
    {
        var outcome = await JobHostProcess.RunAsync(Pair<Config>.With<int>, new Config("a", 1, []), 5);

        var (config, number) = outcome.Result<(Config, int)>();
        Assert.Equal(("a", 5), (config.Name, number));
    }

    [Fact]
    public async Task Lambda_InGenericMethod_Runs() => Assert.Equal("System.Int32 8", await GenericAsync(8));

    [Fact]
    public async Task ValueTaskMethods_AreAwaited()
    {
        Assert.Equal(9, (await JobHostProcess.RunAsync(ValueAsync, 9)).Result<int>());
        Assert.Equal("void\n", (await JobHostProcess.RunAsync(VoidValueAsync)).Output);
    }

    [Fact]
    public async Task InstanceMethod_OfOrdinaryClass_BringsItsPrivateState()
    {
        var trainer = new Trainer("cfg", 3);
        trainer.Step();

        Assert.Equal("cfg 4 [0, 1, 2, 3]", (await JobHostProcess.RunAsync(trainer.Describe)).Result<string>());
        Assert.Equal("cfg 4 [0, 1, 2, 3]!", (await trainer.SubmitAsync("!")).Result<string>());
    }

    [Fact]
    public async Task Parameter_OfAClassWithConfigureServices_IsMadeByTheJobAndDisposed()
    {
        var by = 2;

        var outcome = await JobHostProcess.RunAsync((Calculator calculator, int number) => calculator.Twice(number) * by, 5);

        Assert.Equal((20, "disposed\n"), (outcome.Result<int>(), outcome.Output));
    }

    [Fact]
    public async Task Results_OfManyKinds_AreReadBack()
    {
        var answer = await JobHostProcess.RunAsync(() => new { Name = "x", Point = new System.Numerics.Vector2(1, 2), Map = new Dictionary<string, (int, DateTimeOffset)> { ["k"] = (1, DateTimeOffset.UnixEpoch) } });

        Assert.Equal("""{"Name":"x","Point":{"X":1,"Y":2},"Map":{"k":{"Item1":1,"Item2":"1970-01-01T00:00:00+00:00"}}}""", answer.ResultJson);
    }

    [Fact]
    public async Task Exception_EndsTheJobWithItsTypeMessageAndStack()
    {
        var what = "that";

        var outcome = await JobHostProcess.RunAsync(void () => throw new InvalidOperationException($"not {what}"));

        Assert.Equal(1, outcome.ExitCode);
        Assert.Equal("System.InvalidOperationException", outcome.Exception?.GetProperty("type").GetString());
        Assert.Equal("not that", outcome.Exception?.GetProperty("message").GetString());
        Assert.Contains(nameof(EntrypointTests), outcome.Exception?.GetProperty("stack").GetString(), StringComparison.Ordinal);
        Assert.StartsWith("Unhandled exception. System.InvalidOperationException: not that", outcome.Error, StringComparison.Ordinal);
        Assert.Null(outcome.ResultJson);
    }

    [Fact]
    public async Task Exception_OnAnotherThread_IsTheJobsToo()
    {
        var outcome = await JobHostProcess.RunAsync(() =>
        {
            var thread = new Thread(() => throw new TimeoutException("elsewhere"));
            thread.Start();
            thread.Join();
            return 1;
        });

        Assert.Equal((1, "elsewhere"), (outcome.ExitCode, outcome.Exception?.GetProperty("message").GetString()));
    }

    [Fact]
    public async Task ForegroundThread_LeftRunning_DoesNotKeepTheJob()
    {
        var outcome = await JobHostProcess.RunAsync(() =>
        {
            new Thread(() => Thread.CurrentThread.Join()) { IsBackground = false }.Start();
            return 1;
        });

        Assert.Equal((0, "1"), (outcome.ExitCode, outcome.ResultJson));
    }

    [Fact]
    public async Task Result_ThatCannotTravel_EndsTheJobNamingIt()
    {
        var outcome = await JobHostProcess.RunAsync(IEnumerable<Animal> () => [new Dog()]);

        Assert.Equal((1, "result"), (outcome.ExitCode, outcome.Exception?.GetProperty("of").GetString()));
        Assert.Contains("[0] is a Fluster.Tests.EntrypointTests.Dog; it is declared as Fluster.Tests.EntrypointTests.Animal", outcome.Exception?.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Result_Over16MiB_EndsTheJobSayingSo()
    {
        var outcome = await JobHostProcess.RunAsync(() => new string('x', 17 << 20));

        Assert.Contains("16 MiB", outcome.Exception?.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task CancellationTokenParameter_IsCancelledBySigterm()
    {
        var name = "wired";
        var invocation = InvocationWriter.Write(
            async (CancellationToken stopping) =>
            {
                Console.WriteLine("ready");
                var stopped = new TaskCompletionSource();
                await using var registration = stopping.Register(stopped.SetResult);
                await stopped.Task;
                return name;
            },
            []);
        var app = AppLocation.Of(typeof(EntrypointTests).Assembly);

        var outcome = await JobHostProcess.RunAsync(invocation, app, JobEnvironment(), whileRunning: async process =>
        {
            Assert.Equal("ready", await process.StandardOutput.ReadLineAsync());
            Signals.Send(process.Id, Signals.Terminate);
        });

        Assert.Equal((0, "wired"), (outcome.ExitCode, outcome.Result<string>()));
    }

    [Fact]
    public async Task Sigterm_WithoutToken_EndsTheProcessAtOnce()
    {
        var invocation = InvocationWriter.Write(
            void () =>
            {
                Console.WriteLine("ready");
                Thread.CurrentThread.Join();
            },
            []);

        var outcome = await JobHostProcess.RunAsync(invocation, AppLocation.Of(typeof(EntrypointTests).Assembly), JobEnvironment(), whileRunning: async process =>
        {
            Assert.Equal("ready", await process.StandardOutput.ReadLineAsync());
            Signals.Send(process.Id, Signals.Terminate);
        });

        Assert.Equal(143, outcome.ExitCode);
    }

    [Theory]
    [InlineData("FLUSTER_CONTROLLER_ADDRESS")]
    [InlineData("FLUSTER_CLUSTER_ADDRESS")]
    public async Task JobProcess_KnowsItsContext(string addressVariable)
    {
        var variables = JobEnvironment();
        Assert.True(variables.Remove("FLUSTER_CONTROLLER_ADDRESS", out var address));
        variables[addressVariable] = address;
        var invocation = InvocationWriter.Write(
            () =>
            {
                var context = FlusterContext.Current;
                return $"{context.Namespace} {context.JobId} {context.TaskIndex}/{context.TaskCount} {context.Fence} {context.WorkerId} {context.GetPort("metrics-http")} {context.Controller?.Address} {AppContext.BaseDirectory == Path.GetDirectoryName(typeof(EntrypointTests).Assembly.Location) + "/"}";
            },
            []);

        var outcome = await JobHostProcess.RunAsync(invocation, AppLocation.Of(typeof(EntrypointTests).Assembly), variables);

        Assert.Equal("prod job-1a2b3c4d/step 1/3 1099511627777 w1 30007 http://127.0.0.1:9 True", outcome.Result<string>());
    }

    [Fact]
    public async Task Bundle_OfAnotherBuild_IsAFault()
    {
        var invocation = System.Text.Encoding.UTF8.GetString(InvocationWriter.Write(() => 5, []));
        var other = invocation.Replace(typeof(EntrypointTests).Module.ModuleVersionId.ToString(), Guid.NewGuid().ToString(), StringComparison.Ordinal);

        var outcome = await JobHostProcess.RunAsync(System.Text.Encoding.UTF8.GetBytes(other), AppLocation.Of(typeof(EntrypointTests).Assembly));

        Assert.Equal(125, outcome.ExitCode);
        Assert.Contains("another build of Fluster.Tests", outcome.Fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("not json")]
    [InlineData("{}")]
    [InlineData("""{"version":2}""")]
    public async Task Invocation_ThatCannotBeRead_IsAFault(string invocation)
    {
        var outcome = await JobHostProcess.RunAsync(System.Text.Encoding.UTF8.GetBytes(invocation), AppLocation.Of(typeof(EntrypointTests).Assembly));

        Assert.Equal(125, outcome.ExitCode);
        Assert.StartsWith("The call ", outcome.Fault, StringComparison.Ordinal);
    }

    // The contract with job hosts of every version: this signature never changes.
    [Fact]
    public void JobEntry_Run_HasTheSignatureThatEveryHostCalls()
    {
        var run = typeof(Cluster.FlusterClient).Assembly.GetType("Fluster.Cluster.JobEntry", throwOnError: true)!.GetMethods().Single(method => method.Name == "Run");

        Assert.True(run.IsPublic && run.IsStatic && run.DeclaringType!.IsPublic);
        Assert.Equal("Int32 Run(System.String, System.String, System.String)", run.ToString());
    }

    private static Dictionary<string, string> JobEnvironment() => new(StringComparer.Ordinal)
    {
        ["FLUSTER_JOB_ID"] = "job-1a2b3c4d/step",
        ["FLUSTER_NAMESPACE"] = "prod",
        ["FLUSTER_TASK_INDEX"] = "1",
        ["FLUSTER_TASK_COUNT"] = "3",
        ["FLUSTER_FENCE"] = "1099511627777",
        ["FLUSTER_WORKER_ID"] = "w1",
        ["FLUSTER_PORT_METRICS_HTTP"] = "30007",
        ["FLUSTER_CONTROLLER_ADDRESS"] = "http://127.0.0.1:9",
    };

    private static long Multiply(int left, long right) => left * right;

    private static async ValueTask<int> ValueAsync(int number)
    {
        await Task.Yield();
        return number;
    }

    private static async ValueTask VoidValueAsync()
    {
        await Task.Yield();
        Console.WriteLine("void");
    }

    private static async Task<string> GenericAsync<T>(T value) => (await JobHostProcess.RunAsync(() => $"{typeof(T)} {value}")).Result<string>();

    internal static class Pair<TFirst>
    {
        public static (TFirst, TSecond) With<TSecond>(TFirst first, TSecond second) => (first, second);
    }

    private sealed class Doubling : IDisposable
    {
        public int Apply(int number) => number * 2;

        public void Dispose() => Console.WriteLine("disposed");
    }

    private sealed class Calculator(Doubling doubling)
    {
        public static void ConfigureServices(IServiceCollection services) => services.AddSingleton<Doubling>();

        public int Twice(int number) => doubling.Apply(number);
    }

    internal class Animal;

    internal sealed class Dog : Animal
    {
        public int Tricks { get; set; }
    }

    /// <summary>State in private fields, a primary constructor's parameter and a property without a setter.</summary>
    private sealed class Trainer(string config, int steps)
    {
        private readonly List<int> _done = [.. Enumerable.Range(0, steps)];

        public int Steps { get; private set; } = steps;

        public void Step() => _done.Add(Steps++);

        public string Describe() => $"{config} {Steps} [{string.Join(", ", _done)}]";

        public Task<JobHostOutcome> SubmitAsync(string suffix) => JobHostProcess.RunAsync(() => Describe() + suffix);
    }
}
