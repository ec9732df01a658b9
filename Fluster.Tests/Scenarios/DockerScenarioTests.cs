using System.Reflection;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>
/// The same scenarios on workers that are containers, which the controller makes for them. They need an engine, so each is a case here that is skipped by name where there is none.
/// </summary>
public sealed class DockerScenarioTests(DockerScenarioTests.Backend backend) : IClassFixture<DockerScenarioTests.Backend>
{
    private static readonly Type[] s_scenarios = [typeof(Jobs), typeof(Families), typeof(Actors), typeof(Pools)];

    public static TheoryData<string, string, int> All
    {
        get
        {
            var cases = new TheoryData<string, string, int>();
            foreach (var scenarios in s_scenarios)
            {
                foreach (var method in scenarios.GetMethods().Where(method => method.GetCustomAttribute<FactAttribute>() is { Skip: null }).OrderBy(method => method.Name, StringComparer.Ordinal))
                {
                    var rows = Rows(method);
                    for (var row = 0; row < rows.Count; row++)
                    {
                        cases.Add(scenarios.Name, method.Name, row);
                    }
                }
            }

            return cases;
        }
    }

    [EngineTheory(TestEngine.WorkerImage)]
    [MemberData(nameof(All))]
    public async Task Scenario_WorkersAreContainers_PassesUnchanged(string scenarios, string name, int row)
    {
        await backend.StartAsync();
        var type = s_scenarios.Single(known => known.Name == scenarios);
        var method = type.GetMethod(name)!;
        var instance = Activator.CreateInstance(type, backend)!;
        try
        {
            await (instance is IAsyncLifetime starting ? starting.InitializeAsync() : Task.CompletedTask);
            await (Task)method.Invoke(instance, Rows(method)[row])!;
        }
        finally
        {
            await (instance is IAsyncLifetime ending ? ending.DisposeAsync() : Task.CompletedTask);
            (instance as IDisposable)?.Dispose();
        }
    }

    private static List<object?[]> Rows(MethodInfo method) => method.GetCustomAttributes<Xunit.Sdk.DataAttribute>().ToArray() is { Length: > 0 } data
        ? [.. data.SelectMany(rows => rows.GetData(method))]
        : [[]];

    /// <summary>A controller that makes its workers as containers.</summary>
    public sealed class Backend : ScenarioBackend
    {
        private readonly Lazy<Task<DockerCluster>> _cluster = new(() => DockerCluster.StartAsync(cpu: 4));

        public override IClusterController Client => _cluster is { IsValueCreated: true, Value: { IsCompletedSuccessfully: true, Result: var cluster } }
            ? cluster.Client
            : throw new InvalidOperationException("The cluster was not started.");

        public override Task InitializeAsync() => Task.CompletedTask; // there may be no engine

        public Task StartAsync() => _cluster.Value;

        public override async Task DisposeAsync()
        {
            if (_cluster.IsValueCreated)
            {
                await (await _cluster.Value).DisposeAsync();
            }
        }
    }

    private sealed class Jobs(Backend backend) : JobScenarioTests(backend);

    private sealed class Families(Backend backend) : FamilyScenarioTests(backend);

    private sealed class Actors(Backend backend) : ActorScenarioTests(backend);

    private sealed class Pools(Backend backend) : WorkerPoolScenarioTests(backend);
}
