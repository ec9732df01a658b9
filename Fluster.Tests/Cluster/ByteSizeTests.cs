using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Sizes as people write them: powers of 1024, whatever the unit's spelling.</summary>
public class ByteSizeTests
{
    private const long K = 1024, M = K * K, G = M * K, T = G * K;

    [Theory]
    [InlineData("0", 0)]
    [InlineData("1", 1)]
    [InlineData("1048576", M)]
    [InlineData("1k", K)]
    [InlineData("1K", K)]
    [InlineData("1kb", K)]
    [InlineData("1KB", K)]
    [InlineData("1KiB", K)]
    [InlineData("1kIb", K)]
    [InlineData("256m", 256 * M)]
    [InlineData("256 MiB", 256 * M)]
    [InlineData("2g", 2 * G)]
    [InlineData("2GB", 2 * G)]
    [InlineData(" 2  gib ", 2 * G)]
    [InlineData("3t", 3 * T)]
    [InlineData("3 TB", 3 * T)]
    [InlineData("1.5g", G + G / 2)]
    [InlineData("0.25 KiB", 256)]
    [InlineData("0.0001k", 1)] // a part of a byte is a byte
    [InlineData("8388607t", 8388607 * T)]
    [InlineData("9223372036854775807", long.MaxValue)]
    public void Parse_Size_IsSoManyBytes(string text, long bytes) => Assert.Equal(bytes, ByteSize.Parse(text).Bytes);

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("g")]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData("1e3")]
    [InlineData("1,000")]
    [InlineData("1_000")]
    [InlineData("1.5")] // half a byte
    [InlineData("1.g")]
    [InlineData(".5g")]
    [InlineData(".")]
    [InlineData("1.2.3g")]
    [InlineData("1p")]
    [InlineData("1b")]
    [InlineData("1ib")]
    [InlineData("1gi")]
    [InlineData("1g b")]
    [InlineData("1 0g")]
    [InlineData("1gbb")]
    [InlineData("2 gigabytes")]
    [InlineData("0x10")]
    [InlineData("1\tg")]
    [InlineData("१g")]
    [InlineData("8388608t")]
    [InlineData("9223372036854775808")]
    [InlineData("99999999999999999999999999999999999999")]
    public void Parse_AnythingElse_IsAnErrorThatQuotesIt(string text)
    {
        var error = Assert.Throws<FormatException>(() => ByteSize.Parse(text));

        Assert.Contains($"'{text}'", error.Message, StringComparison.Ordinal);
        Assert.False(ByteSize.TryParse(text, out _));
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(1000, "1000")]
    [InlineData(1024, "1 KiB")]
    [InlineData(1536, "1536")]
    [InlineData(256 * M, "256 MiB")]
    [InlineData(2 * G, "2 GiB")]
    [InlineData(2048 * T, "2048 TiB")]
    [InlineData(long.MaxValue, "9223372036854775807")]
    public void ToString_Size_ReadsBack(long bytes, string text)
    {
        Assert.Equal(text, new ByteSize(bytes).ToString());
        Assert.Equal(bytes, ByteSize.Parse(text).Bytes);
    }

    [Fact]
    public void TryParse_Null_IsFalse() => Assert.False(ByteSize.TryParse(null, out _));

    [Fact]
    public void Constructor_Negative_IsRefused() => Assert.Throws<ArgumentOutOfRangeException>(() => new ByteSize(-1));
}
