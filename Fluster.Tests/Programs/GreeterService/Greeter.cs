using Fluster.Actors;

namespace GreeterService;

/// <summary>Greets.</summary>
internal interface IGreeter
{
    /// <summary>Greets somebody.</summary>
    Task<string> GreetAsync(string name);
}

/// <summary>What the actor's constructor is given.</summary>
internal sealed class Words
{
    public string Hello => "Hello";
}

[Actor("greeter")]
internal sealed class Greeter(Words words) : IGreeter
{
    public Task<string> GreetAsync(string name) => Task.FromResult($"{words.Hello}, {name}!");
}
