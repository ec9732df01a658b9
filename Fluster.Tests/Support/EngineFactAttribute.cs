using System.Collections.Concurrent;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>A test that needs a Docker Engine with the image of <c>eng/build-images.sh</c>. Without them the test is skipped by name, with the reason.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class EngineFactAttribute : FactAttribute
{
    public EngineFactAttribute(string image = TestEngine.Image) => Skip = TestEngine.Missing(image);
}

/// <summary>The Docker Engine of this machine.</summary>
internal static class TestEngine
{
    /// <summary>The engine's socket: the machine's, or that of the engine that <c>eng/test.sh</c> started.</summary>
#pragma warning disable RS0030 // Tests have no configuration of their own.
    public static string Socket { get; } = Environment.GetEnvironmentVariable("FLUSTER_TESTS_DOCKER_SOCKET") is { Length: > 0 } socket ? socket : DockerEngine.DefaultSocket;
#pragma warning restore RS0030

    /// <summary>Has a shell and the .NET runtime.</summary>
    public const string Image = "fluster/runtime:10.0";

    /// <summary>That, and the worker of this checkout.</summary>
    public const string WorkerImage = "fluster/worker:dev";

    private static readonly ConcurrentDictionary<string, Lazy<string?>> s_missing = new(StringComparer.Ordinal);

    /// <summary>Why containers of an image cannot be tested here; null when they can.</summary>
    public static string? Missing(string image) => s_missing.GetOrAdd(image, _ => new Lazy<string?>(() => FindMissing(image))).Value;

    private static string? FindMissing(string image)
    {
        if (!File.Exists(Socket))
        {
            return $"a Docker Engine is not at {Socket} (eng/test.sh starts one where it may).";
        }

        // Asked while tests are being looked for, which nothing can be awaited in.
        return Task.Run(async () =>
        {
            using var engine = new DockerEngine(Socket);
            try
            {
                return await engine.FindImageAsync(image, CancellationToken.None) is null ? $"the image {image} is not in the Docker Engine (eng/build-images.sh builds it)." : null;
            }
            catch (DockerEngineException exception)
            {
                return exception.Message;
            }
        }).GetAwaiter().GetResult();
    }
}
