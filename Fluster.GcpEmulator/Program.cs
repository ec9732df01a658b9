using Fluster.GcpEmulator;
using Microsoft.Extensions.Hosting;

try
{
    if (EmulatorOptions.Parse(args).IsHelp)
    {
        Console.WriteLine(EmulatorOptions.Usage);
        return 0;
    }

    await using var app = GcpEmulatorApp.Build(args);
    await app.StartAsync();
    Console.WriteLine($"The emulator listens on {GcpEmulatorApp.AddressOf(app)}");
    await app.WaitForShutdownAsync();
    return 0;
}
catch (Exception exception) when (exception is ArgumentException or IOException)
{
    await Console.Error.WriteLineAsync(exception.Message);
    return 1;
}
