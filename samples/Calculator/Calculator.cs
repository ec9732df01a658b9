using Fluster.Actors;

namespace Samples;

/// <summary>What callers see of the calculator.</summary>
internal interface ICalculator
{
    Task<int> Add(int a, int b);

    Task<int> Multiply(int a, int b);

    Task<int> Divide(int a, int b);

    Task<IReadOnlyList<string>> History();
}

/// <summary>An ordinary class. One call at a time enters an actor, so that its state needs no lock.</summary>
internal sealed class Calculator : ICalculator
{
    private readonly List<string> _history = [];

    public Task<int> Add(int a, int b) => Remember($"{a} + {b}", a + b);

    public Task<int> Multiply(int a, int b) => Remember($"{a} * {b}", a * b);

    public Task<int> Divide(int a, int b) => Remember($"{a} / {b}", a / b);

    public Task<IReadOnlyList<string>> History() => Task.FromResult<IReadOnlyList<string>>(_history);

    /// <summary>What the job does: serves a calculator under this name until the job is told to stop.</summary>
    public static async Task ServeAsync(string name)
    {
        await using var server = new ActorServer();
        server.Register(name, new Calculator());
        await server.RunAsync();
    }

    private Task<int> Remember(string calculation, int result)
    {
        _history.Add($"{calculation} = {result}");
        return Task.FromResult(result);
    }
}
