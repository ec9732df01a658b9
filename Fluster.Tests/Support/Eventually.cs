namespace Fluster.Tests;

/// <summary>Waits for a level: something that becomes true and stays so.</summary>
internal static class Eventually
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(20);

    public static Task True(Func<bool> condition, Func<string> state) => True(() => Task.FromResult(condition()), state);

    public static Task True(Func<bool> condition, string what) => True(condition, () => what);

    /// <param name="condition">What is to become true.</param>
    /// <param name="state">How things are, for the message when it does not.</param>
    public static async Task True(Func<Task<bool>> condition, Func<string> state)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(start) > s_patience)
            {
                Assert.Fail($"Not within {s_patience.TotalSeconds} s. {state()}");
            }

            await Task.Delay(s_interval, TimeProvider.System);
        }
    }
}
