using Fluster.Cli;

namespace Fluster.Tests;

/// <summary>Arguments of <c>fluster actor call</c> as somebody types them.</summary>
public class TypedArgumentsTests
{
    [Theory]
    [InlineData("", "[]")]
    [InlineData("2|3.5|true|null", "[2,3.5,true,null]")]
    [InlineData("Ada|two words|\"3\"", """["Ada","two words","3"]""")]
    [InlineData("[1, 2]|x", """[[1, 2],"x"]""")]
    [InlineData("[1, 2]", "[1, 2]")]
    [InlineData("""{"a": 1}""", """{"a": 1}""")]
    [InlineData("-5|2e3|007|tru", """[-5,2e3,"007","tru"]""")]
    public void Words_AreJsonOrText(string words, string json)
    {
        Assert.Equal(json, TypedArguments.ToJson(words.Length == 0 ? [] : words.Split('|')));
    }
}
