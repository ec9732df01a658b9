namespace Fluster.Tests;

/// <summary>A test that needs a program which may be absent. Without it the test is skipped by name, with the reason.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class ToolFactAttribute : FactAttribute
{
    public ToolFactAttribute(params string[] tools)
    {
        if (tools.FirstOrDefault(tool => Tools.Find(tool) is null) is { } missing)
        {
            Skip = $"{missing} is not on PATH (eng/install-services.sh installs it).";
        }
    }
}

/// <summary>Programs of this machine.</summary>
internal static class Tools
{
    /// <summary>The full path of a program, or null when it is not on PATH.</summary>
    public static string? Find(string name)
    {
#pragma warning disable RS0030 // The question is what this process would start.
        var path = Environment.GetEnvironmentVariable("PATH") ?? "";
#pragma warning restore RS0030
        return path.Split(Path.PathSeparator).Select(directory => Path.Combine(directory, name)).FirstOrDefault(File.Exists);
    }
}
