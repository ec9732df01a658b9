using System.Runtime.InteropServices;
using Fluster.Controller;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;

// A write past a limit on the size of files is that write's failure, which is dealt with where it happens.
using var fileSizeExceeded = OperatingSystem.IsLinux() ? PosixSignalRegistration.Create((PosixSignal)25, context => context.Cancel = true) : null;

try
{
    var app = ControllerApp.Build(WebApplication.CreateBuilder(args), onFatal: exception =>
    {
        Console.Error.WriteLine($"The controller ends: {exception.Message}");
        Environment.FailFast("The state in memory is not the one on the disk.", exception);
    });
    await app.RunAsync();
    return 0;
}
catch (Exception exception) when (exception is StoreException or OptionsValidationException or AddressInUseException || exception.InnerException is AddressInUseException)
{
    await Console.Error.WriteLineAsync($"The controller cannot start: {exception.Message}");
    return 1;
}
