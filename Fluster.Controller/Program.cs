using Fluster.Controller;

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
catch (Exception exception) when (exception is StoreException or Microsoft.Extensions.Options.OptionsValidationException)
{
    await Console.Error.WriteLineAsync($"The controller cannot start: {exception.Message}");
    return 1;
}
