namespace Fluster.Tests;

/// <summary>The scenarios share one backend: jobs in this process.</summary>
[CollectionDefinition(nameof(LocalClientBackend))]
public sealed class LocalClientScenarios : ICollectionFixture<LocalClientBackend>;

/// <summary>Jobs, with jobs in this process.</summary>
[Collection(nameof(LocalClientBackend))]
public sealed class LocalClientJobScenarioTests(LocalClientBackend backend) : JobScenarioTests(backend);

/// <summary>Families of jobs, with jobs in this process.</summary>
[Collection(nameof(LocalClientBackend))]
public sealed class LocalClientFamilyScenarioTests(LocalClientBackend backend) : FamilyScenarioTests(backend);

/// <summary>Actors, with jobs in this process.</summary>
[Collection(nameof(LocalClientBackend))]
public sealed class LocalClientActorScenarioTests(LocalClientBackend backend) : ActorScenarioTests(backend);

/// <summary>Worker pools, with jobs in this process.</summary>
[Collection(nameof(LocalClientBackend))]
public sealed class LocalClientWorkerPoolScenarioTests(LocalClientBackend backend) : WorkerPoolScenarioTests(backend);
