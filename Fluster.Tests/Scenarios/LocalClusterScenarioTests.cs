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
