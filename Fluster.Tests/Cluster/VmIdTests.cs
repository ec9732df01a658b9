using Fluster.Cluster;

namespace Fluster.Tests;

public class VmIdTests
{
    [Theory]
    [InlineData("fluster-1a2b3c4d", true)]
    [InlineData("a", true)]
    [InlineData("1a", false)]
    [InlineData("A-1", false)]
    [InlineData("a_1", false)]
    [InlineData("a-", false)]
    [InlineData("", false)]
    [InlineData(null, false)]
    public void TryParse_OnlyNamesThatComputeEngineTakes(string? text, bool isName)
    {
        Assert.Equal(isName, VmId.TryParse(text, out var id));
        if (isName)
        {
            Assert.Equal((text, VmId.Parse(text!)), (id.ToString(), id));
        }
        else
        {
            Assert.Contains("is not the name of a machine", Assert.Throws<FormatException>(() => VmId.Parse(text!)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void TryParse_LongestName_Is63Characters()
    {
        Assert.True(VmId.TryParse(new string('a', 63), out _));
        Assert.False(VmId.TryParse(new string('a', 64), out _));
    }
}
