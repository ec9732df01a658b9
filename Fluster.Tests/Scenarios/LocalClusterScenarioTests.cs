namespace Fluster.Tests;

/// <summary>The scenarios share one backend: a controller and a worker inside this process.</summary>
[CollectionDefinition(nameof(LocalClusterBackend))]
public sealed class LocalClusterScenarios : ICollectionFixture<LocalClusterBackend>;

/// <summary>Jobs, with a controller and a worker inside this process.</summary>
[Collection(nameof(LocalClusterBackend))]
public sealed class LocalClusterJobScenarioTests(LocalClusterBackend backend) : JobScenarioTests(backend);

/// <summary>Families of jobs, with a controller and a worker inside this process.</summary>
[Collection(nameof(LocalClusterBackend))]
public sealed class LocalClusterFamilyScenarioTests(LocalClusterBackend backend) : FamilyScenarioTests(backend);

/// <summary>Actors, with a controller and a worker inside this process.</summary>
[Collection(nameof(LocalClusterBackend))]
public sealed class LocalClusterActorScenarioTests(LocalClusterBackend backend) : ActorScenarioTests(backend);

/// <summary>Worker pools, with a controller and a worker inside this process.</summary>
[Collection(nameof(LocalClusterBackend))]
public sealed class LocalClusterWorkerPoolScenarioTests(LocalClusterBackend backend) : WorkerPoolScenarioTests(backend);
