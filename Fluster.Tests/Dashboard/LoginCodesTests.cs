using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>Codes by which a browser comes in without a token in its address.</summary>
public class LoginCodesTests
{
    [Fact]
    public void Code_IsGoodOnce_AndForAMinute()
    {
        var time = new ShiftedTime();
        var codes = new LoginCodes(time);
        var (first, late) = (codes.Make("token")!, codes.Make("token")!);

        Assert.NotEqual(first, late);
        Assert.Equal("token", codes.Take(first));
        Assert.Null(codes.Take(first));
        Assert.Null(codes.Take("made up"));
        time.Advance(LoginCodes.Lifetime + TimeSpan.FromSeconds(1));
        Assert.Null(codes.Take(late));
    }
}
