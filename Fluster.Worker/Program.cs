using Fluster.Worker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

// The worker's helper processes are this program again. They must start quickly, so nothing else is touched before.
if (OperatingSystem.IsLinux())
{
    switch (args)
    {
        case [ProcessLauncher.Argument, .. var launcher]:
            return LauncherProcess.Run(Ward.FromArguments(launcher));
        case [GuardProcess.Argument, .. var guard]:
            return GuardProcess.Run(Ward.FromArguments(guard));
    }
}

return await RunWorkerAsync(args);

static async Task<int> RunWorkerAsync(string[] args)
{
    try
    {
        var builder = Host.CreateApplicationBuilder(args);
        builder.AddServiceDefaults();
        builder.Services.AddWorker();
        using var host = builder.Build();
        _ = host.Services.GetRequiredService<IOptions<WorkerOptions>>().Value; // what is wrong with it is said in one line, before the host would say it in forty
        await host.RunAsync();
        return Environment.ExitCode;
    }
    catch (Exception exception) when (exception is WorkerStartException or OptionsValidationException)
    {
        await Console.Error.WriteLineAsync($"The worker cannot start: {exception.Message}");
        return 1;
    }
}
