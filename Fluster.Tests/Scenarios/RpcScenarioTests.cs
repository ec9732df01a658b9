namespace Fluster.Tests;

/// <summary>The scenarios share one backend: a controller and a worker in processes of their own.</summary>
[CollectionDefinition(nameof(RpcBackend))]
public sealed class RpcScenarios : ICollectionFixture<RpcBackend>;

/// <summary>Jobs, with a controller and a worker in processes of their own.</summary>
[Collection(nameof(RpcBackend))]
public sealed class RpcJobScenarioTests(RpcBackend backend) : JobScenarioTests(backend);

/// <summary>Families of jobs, with a controller and a worker in processes of their own.</summary>
[Collection(nameof(RpcBackend))]
public sealed class RpcFamilyScenarioTests(RpcBackend backend) : FamilyScenarioTests(backend);

/// <summary>Actors, with a controller and a worker in processes of their own.</summary>
[Collection(nameof(RpcBackend))]
public sealed class RpcActorScenarioTests(RpcBackend backend) : ActorScenarioTests(backend);

/// <summary>Worker pools, with a controller and a worker in processes of their own.</summary>
[Collection(nameof(RpcBackend))]
public sealed class RpcWorkerPoolScenarioTests(RpcBackend backend) : WorkerPoolScenarioTests(backend);
