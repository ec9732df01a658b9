using Fluster.Controller;
using FsCheck;
using FsCheck.Fluent;

namespace Fluster.Tests;

/// <summary>The map behaves like a dictionary, and a published one never changes.</summary>
public class RadixMapTests
{
    [Fact]
    public void AnyChanges_GiveWhatASortedDictionaryGives() => Prop
        .ForAll(
            Gen.Choose(0, 5_000).Zip(Gen.Choose(0, 3)).ArrayOf(300).ToArbitrary(),
            changes =>
            {
                var builder = RadixMap<string>.Empty.ToBuilder();
                var expected = new SortedDictionary<long, string>();
                var published = new List<(RadixMap<string> Map, string[] Values)>();
                foreach (var (number, kind) in changes)
                {
                    var key = kind == 3 ? number * 100_003L : number;
                    if (kind == 0)
                    {
                        builder.Remove(key);
                        expected.Remove(key);
                    }
                    else
                    {
                        builder.Set(key, $"{key} {kind}");
                        expected[key] = $"{key} {kind}";
                    }

                    if (number % 7 == 0)
                    {
                        published.Add((builder.ToImmutable(), [.. expected.Values]));
                    }
                }

                published.Add((builder.ToImmutable(), [.. expected.Values]));
                foreach (var (map, values) in published)
                {
                    Assert.Equal(values.Length, map.Count);
                    Assert.Equal(values, map.Ascending());
                    Assert.Equal(values.Reverse(), map.Descending());
                }

                var last = published[^1].Map;
                Assert.All(expected, pair => Assert.Equal(pair.Value, last.Find(pair.Key)));
                var from = expected.Count == 0 ? 0 : expected.Keys.ElementAt(expected.Count / 2);
                Assert.Equal(expected.Where(pair => pair.Key >= from).Select(pair => pair.Value), last.Ascending(from));
                Assert.Equal(expected.Where(pair => pair.Key <= from).Select(pair => pair.Value).Reverse(), last.Descending(from));
                Assert.Null(last.Find(6_001));
            })
        .Check(Config.QuickThrowOnFailure.WithMaxTest(200));
}
