using Aspire.Hosting;

namespace Fluster.Tests;

/// <summary>
/// Every public member of the application model exists in Aspire 13.5.2 with the same signature, so that an AppHost written here
/// compiles there. The list beside this file was compared with Aspire's own; whoever changes it compares again.
/// </summary>
public class PublicSurfaceTests
{
    private static string ListPath => Path.Combine(Repository.Root, "Fluster.Tests", "Platform", "AppModel", "aspire-members.txt");

    [Fact]
    public void AppModel_PublicMembers_AreTheListedOnes()
    {
        var actual = PublicSurface.Of(typeof(DistributedApplication).Assembly).ToList();
        var listed = File.ReadAllLines(ListPath);

        string[] differences =
        [
            .. actual.Except(listed, StringComparer.Ordinal).Select(line => "not listed: " + line),
            .. listed.Except(actual, StringComparer.Ordinal).Select(line => "gone: " + line),
        ];
        Assert.True(differences.Length == 0, string.Join('\n', differences));
    }

    [Fact]
    public void AppModel_KnownStates_CannotBeUsedAsConstants() =>
        // As constants they would compile in a switch here and not with Aspire.
        Assert.All(typeof(Aspire.Hosting.ApplicationModel.KnownResourceStates).GetFields(), field => Assert.False(field.IsLiteral, field.Name));
}
