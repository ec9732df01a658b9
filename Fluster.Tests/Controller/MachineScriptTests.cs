using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>
/// The rules, told as scripts. To write the expectations anew after a change of the rules: <c>FLUSTER_REWRITE_SCRIPTS=1 dotnet test</c>; commit
/// what that changes only if you understand it.
/// </summary>
public class MachineScriptTests
{
    private const string RewriteSwitch = "FLUSTER_REWRITE_SCRIPTS";

    private static readonly string s_directory = Path.Combine(Repository.Root, "Fluster.Tests", "Controller", "Scripts");

    public static TheoryData<string> Scripts => [.. Directory.GetFiles(s_directory, "*.txt").Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Scripts))]
    public void Script_Played_PrintsWhatItExpects(string name)
    {
        var path = Path.Combine(s_directory, name);
        var script = File.ReadAllText(path);

        var played = MachineScript.Play(script);

        if (FlusterEnvironment.Get(RewriteSwitch) is not null)
        {
            File.WriteAllText(path, played);
            return;
        }

        Assert.Equal(script, played, ignoreLineEndingDifferences: true);
    }
}
