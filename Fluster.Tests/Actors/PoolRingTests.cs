using Fluster.Actors;

namespace Fluster.Tests;

/// <summary>Whose turn it is in a pool.</summary>
public sealed class PoolRingTests
{
    [Fact]
    public void Next_GoesRoundAndIsEmptyWithoutMembers()
    {
        var ring = RingOf("a", "b", "c");

        Assert.Equal(["a", "b", "c", "a"], Turns(ring, 4));
        Assert.Null(new PoolRing<string>().Next());
        Assert.Null(new PoolRing<string>().NextWithLeast(_ => 0));
    }

    [Fact]
    public void Add_InTheMiddle_HasItsTurnWhenAllOthersHadOne()
    {
        var ring = RingOf("a", "b", "c");
        Turns(ring, 1);

        ring.Add("d");

        Assert.Equal(["b", "c", "a", "d", "b"], Turns(ring, 5));
    }

    [Theory]
    [InlineData("a", "b", "c")] // had its turn
    [InlineData("b", "c", "a")] // is next
    [InlineData("c", "b", "a")]
    public void Remove_TheTurnStaysWhereItIs(string gone, string next, string afterwards)
    {
        var ring = RingOf("a", "b", "c");
        Turns(ring, 1);

        ring.Remove(gone);

        Assert.Equal([next, afterwards, next], Turns(ring, 3));
    }

    [Fact]
    public void NextWithLeast_TakesTurnsAmongEquals()
    {
        var ring = RingOf("a", "b", "c");

        Assert.Equal(["a", "c", "a", "c"], Enumerable.Range(0, 4).Select(_ => ring.NextWithLeast(member => member == "b" ? 1 : 0)));
        Assert.Equal("b", ring.NextWithLeast(member => member == "b" ? 0 : 1));
    }

    /// <summary>Round-robin is fair to 1 % across changes of membership: among those that stayed it is fair to one call.</summary>
    [Fact]
    public void Next_WhileMembersComeAndGo_IsFairToThoseThatStay()
    {
        var random = new Random(TestScale.Seed);
        var ring = RingOf("a", "b", "c", "d");
        var calls = new Dictionary<string, int>(StringComparer.Ordinal);
        var visitors = new List<string>();
        var turns = 0;
        for (var change = 0; change < 1000; change++)
        {
            for (var count = random.Next(12); count > 0; count--)
            {
                var member = ring.Next()!;
                calls[member] = calls.GetValueOrDefault(member) + 1;
                turns++;
            }

            if (visitors.Count > 0 && random.Next(2) == 0)
            {
                var gone = visitors[random.Next(visitors.Count)];
                visitors.Remove(gone);
                ring.Remove(gone);
            }
            else
            {
                visitors.Add($"visitor {change}");
                ring.Add(visitors[^1]);
            }
        }

        var stayed = "abcd".Select(name => calls[name.ToString()]).ToList();
        Assert.True(stayed.Max() - stayed.Min() <= 1, $"seed {TestScale.Seed}: {string.Join(", ", stayed)} of {turns} calls");
    }

    private static PoolRing<string> RingOf(params string[] members)
    {
        var ring = new PoolRing<string>();
        foreach (var member in members)
        {
            ring.Add(member);
        }

        return ring;
    }

    private static List<string?> Turns(PoolRing<string> ring, int count) => [.. Enumerable.Range(0, count).Select(_ => ring.Next())];
}
