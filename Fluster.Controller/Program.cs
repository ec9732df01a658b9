using Fluster.Controller;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;

try
{
    var builder = WebApplication.CreateBuilder(args);
    builder.AddController(onFatal: exception => Environment.FailFast("The controller's store failed.", exception));
    var app = builder.Build();
    _ = app.Services.GetRequiredService<ClusterLoop>(); // a directory that cannot be used is found before anything is served
    KeyFiles.WriteAdminToken(app.Services);
    app.MapController();
    await app.RunAsync();
    return 0;
}
catch (Exception exception) when (exception is StoreException or OptionsValidationException or AddressInUseException || exception.InnerException is AddressInUseException)
{
    await Console.Error.WriteLineAsync($"The controller cannot start: {exception.Message}");
    return 1;
}
