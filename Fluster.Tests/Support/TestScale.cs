using System.Security.Cryptography;

namespace Fluster.Tests;

/// <summary>How much a test does: enough to fail where something is wrong, or, with <c>eng/test.sh --full</c>, the counts that an issue asks for.</summary>
internal static class TestScale
{
    /// <summary>Whether this is the full run.</summary>
#pragma warning disable RS0030 // Tests have no configuration of their own.
    public static bool IsFull { get; } = Environment.GetEnvironmentVariable("FLUSTER_TESTS_FULL") == "1";

    /// <summary>Whether browser tests keep the pictures of the documentation (FLUSTER_TESTS_SCREENSHOTS=1).</summary>
    public static bool TakesScreenshots { get; } = Environment.GetEnvironmentVariable("FLUSTER_TESTS_SCREENSHOTS") == "1";

    /// <summary>Where the random choices of tests that print it begin. Another one in every run, unless the variable says.</summary>
    public static int Seed { get; } = int.TryParse(Environment.GetEnvironmentVariable("FLUSTER_TESTS_SEED"), out var seed) ? seed : RandomNumberGenerator.GetInt32(int.MaxValue);
#pragma warning restore RS0030

    /// <summary>The count for this run.</summary>
    public static int Of(int usual, int full) => IsFull ? full : usual;
}
