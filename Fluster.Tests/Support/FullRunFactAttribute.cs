namespace Fluster.Tests;

/// <summary>A test that only <c>eng/test.sh --full</c> runs; elsewhere it is skipped by name, with the reason.</summary>
internal sealed class FullRunFactAttribute : FactAttribute
{
    public FullRunFactAttribute(string why)
    {
        if (!TestScale.IsFull)
        {
            Skip = $"is not part of the usual run: {why}";
        }
    }
}
