using System.Reflection;

namespace Fluster.Tests;

/// <summary>Rules for the tests themselves.</summary>
public class TestSuiteTests
{
    [Fact]
    public void SkippedTests_SayWhatIsMissing()
    {
        var skipped = Tests()
            .Select(test => (Name: $"{test.DeclaringType!.Name}.{test.Name}", test.GetCustomAttribute<FactAttribute>()!.Skip))
            .Where(test => test.Skip is not null);

        // What is not there, or not done by the other side, is a reason; a test that fails now and then is a failing test.
        Assert.All(skipped, test => Assert.True(
            test.Skip!.Length > 15 && test.Skip.Contains(" not ", StringComparison.Ordinal) && !test.Skip.Contains("flak", StringComparison.OrdinalIgnoreCase),
            $"{test.Name}: '{test.Skip}'"));
    }

    [Fact]
    public void Classes_WithTests_AreNamedSo()
    {
        var wrong = Tests().Select(test => test.DeclaringType!).Distinct().Where(type => !type.Name.EndsWith("Tests", StringComparison.Ordinal) && !type.Name.EndsWith("Properties", StringComparison.Ordinal)).Select(type => type.Name);

        Assert.Empty(wrong);
    }

    private static IEnumerable<MethodInfo> Tests() =>
        typeof(TestSuiteTests).Assembly.GetTypes().SelectMany(type => type.GetMethods()).Where(method => method.GetCustomAttribute<FactAttribute>() is not null);
}
