namespace Aspire.Hosting.Dashboard;

/// <summary>Which AppHost this is.</summary>
/// <param name="Name">What people call it.</param>
/// <param name="Directory">The directory of its project.</param>
/// <param name="Path">The full path of its project file.</param>
internal sealed record AppHostIdentity(string Name, string Directory, string Path);
