using Fluster.Cli;

return await FlusterCommand.RunAsync(args);
