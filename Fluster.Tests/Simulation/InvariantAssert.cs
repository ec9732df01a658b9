using System.Runtime.CompilerServices;
using System.Text;

namespace Fluster.Tests;

/// <summary>xunit's Assert for checks that run a million times: what a failure says is made only when there is one.</summary>
internal static class InvariantAssert
{
    public static void True(bool condition, [InterpolatedStringHandlerArgument(nameof(condition))] ref Text text)
    {
        if (!condition)
        {
            Assert.Fail(text.ToString());
        }
    }

    public static void Equal<T>(T expected, T actual)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, actual))
        {
            Assert.Equal(expected, actual);
        }
    }

    public static void Equal<T>(IEnumerable<T> expected, IEnumerable<T> actual)
    {
        if (!expected.SequenceEqual(actual))
        {
            Assert.Equal(expected.ToList(), actual.ToList());
        }
    }

    public static void DoesNotContain<T>(IEnumerable<T> items, Predicate<T> wrong)
    {
        foreach (var item in items)
        {
            if (wrong(item))
            {
                Assert.Fail($"There is {item}.");
            }
        }
    }

    public static void Single<T>(IEnumerable<T> items) => Assert.Single(items);

    public static void All<T>(IEnumerable<T> items, Action<T> check)
    {
        foreach (var item in items)
        {
            check(item);
        }
    }

    [InterpolatedStringHandler]
    internal readonly ref struct Text
    {
        private readonly StringBuilder? _text;

        public Text(int literalLength, int formattedCount, bool condition, out bool isWanted)
        {
            isWanted = !condition;
            _text = condition ? null : new StringBuilder(literalLength + formattedCount * 16);
        }

        public void AppendLiteral(string text) => _text!.Append(text);

        public void AppendFormatted<T>(T value) => _text!.Append(value);

        public override string ToString() => _text?.ToString() ?? "";
    }
}
