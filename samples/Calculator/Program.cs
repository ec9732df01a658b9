using Fluster.Actors;
using Fluster.Cluster;
using Samples;

// A calculator that lives in a job, and a client that finds it by its name.
return await Modes.RunAsync(args, async (cluster, cancellationToken) =>
{
    // The whole namespace sees a name. This one is of this run alone, so that two runs at a time do not share a calculator.
    var name = $"calculator-{Guid.NewGuid():N}";
    var job = await cluster.SubmitAsync(() => Calculator.ServeAsync(name), new JobOptions { Name = "calculator", Ports = [ActorServer.PortName] }, cancellationToken);
    try
    {
        // Nothing waits for the job to run: the first call does, until somebody serves the name.
        using var client = new ActorClient<ICalculator>(cluster.Resolver(), name);
        Console.WriteLine($"2 + 3 = {await client.Actor.Add(2, 3)}");
        Console.WriteLine($"6 * 7 = {await client.Actor.Multiply(6, 7)}");
        try
        {
            Console.WriteLine($"1 / 0 = {await client.Actor.Divide(1, 0)}");
        }
        catch (DivideByZeroException exception)
        {
            // What an actor throws arrives as the same type, with the stack of the other side.
            Console.WriteLine($"1 / 0: {exception.Message}");
        }

        Console.WriteLine($"history: {string.Join(", ", await client.Actor.History())}");
    }
    finally
    {
        await job.TerminateAsync(CancellationToken.None);
    }
});
