namespace Fluster.Tests;

/// <summary>Like <see cref="EngineFactAttribute"/>, for several cases.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class EngineTheoryAttribute : TheoryAttribute
{
    public EngineTheoryAttribute(string image = TestEngine.Image) => Skip = TestEngine.Missing(image);
}
