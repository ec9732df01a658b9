using System.Reflection;
using Fluster.Worker;
using Xunit.Sdk;

namespace Fluster.Tests;

/// <summary>One row per way to hold processes together that this machine has. The marker works everywhere.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class IsolationDataAttribute : DataAttribute
{
    public override IEnumerable<object[]> GetData(MethodInfo testMethod) =>
        Enum.GetValues<IsolationMode>().Where(IsAvailable).Select(mode => (object[])[mode.ToString()]);

    public static bool IsAvailable(IsolationMode mode)
    {
        if (!OperatingSystem.IsLinux())
        {
            return false;
        }

        var candidate = Isolation.Candidates($"probe-{Ward.NewId()}", mode).SingleOrDefault();
        if (candidate is not null)
        {
            CgroupTree.RemoveBelow(candidate.Ward.CgroupDirectory);
        }

        return candidate is not null;
    }
}

/// <summary>A test that needs one way to hold processes together; skipped by name where the machine does not have it.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class IsolationFactAttribute : FactAttribute
{
    public IsolationFactAttribute(string mode)
    {
        if (!IsolationDataAttribute.IsAvailable(Enum.Parse<IsolationMode>(mode)))
        {
            Skip = $"This machine has no {mode} in which this user can make a group.";
        }
    }
}
