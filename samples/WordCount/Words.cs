using System.Buffers;
using System.Text;

namespace WordCount;

/// <summary>Words are runs of the letters A to Z and a to z; every other byte separates them.</summary>
internal static class Words
{
    private static readonly SearchValues<byte> s_letters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    public static Dictionary<string, int> CountFile(string path) => Count(File.ReadAllBytes(path));

    public static Dictionary<string, int> Count(ReadOnlySpan<byte> text)
    {
        var counts = new Dictionary<string, int>();
        while (text.IndexOfAny(s_letters) is var start and >= 0)
        {
            text = text[start..];
            var end = text.IndexOfAnyExcept(s_letters) is var other and >= 0 ? other : text.Length;
            var word = Encoding.ASCII.GetString(text[..end]);
            counts[word] = counts.GetValueOrDefault(word) + 1;
            text = text[end..];
        }

        return counts;
    }
}
