using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Running;

/// <summary>Start, stop and restart: the commands of every resource that is a process.</summary>
internal static class LifecycleCommands
{
    /// <summary>Adds those that the resource does not have yet.</summary>
    /// <param name="resource">The resource.</param>
    /// <param name="run">Finds the run of a process by its id.</param>
    /// <param name="stopping">Cancelled when the application stops: then nothing starts any more.</param>
    public static void AddTo(IResource resource, Func<string, ResourceRun> run, CancellationToken stopping)
    {
        Add(KnownResourceCommands.StartCommand, "Start", "Play", state => IsDown(state) ? ResourceCommandState.Enabled : ResourceCommandState.Hidden, StartAsync);
        Add(KnownResourceCommands.StopCommand, "Stop", "Stop", CanStop, StopAsync);
        Add(KnownResourceCommands.RestartCommand, "Restart", "ArrowCounterclockwise", state => state == KnownResourceStates.Running ? ResourceCommandState.Enabled : ResourceCommandState.Disabled, async context =>
        {
            await StopAsync(context);
            await StartAsync(context);
        });

        Task StartAsync(ExecuteCommandContext context)
        {
            stopping.ThrowIfCancellationRequested();
            return run(context.ResourceName).StartAsync(context.CancellationToken);
        }

        Task StopAsync(ExecuteCommandContext context) => run(context.ResourceName).StopAsync().WaitAsync(context.CancellationToken);

        void Add(string name, string displayName, string icon, Func<string?, ResourceCommandState> state, Func<ExecuteCommandContext, Task> execute)
        {
            if (!resource.Annotations.OfType<ResourceCommandAnnotation>().Any(command => command.Name == name))
            {
                resource.Annotations.Add(new ResourceCommandAnnotation(
                    name,
                    displayName,
                    context => state(context.ResourceSnapshot.State?.Text),
                    async context =>
                    {
                        await execute(context);
                        return CommandResults.Success();
                    },
                    displayDescription: null,
                    parameter: null,
                    confirmationMessage: null,
                    icon,
                    IconVariant.Filled,
                    isHighlighted: name != KnownResourceCommands.RestartCommand));
            }
        }
    }

    private static ResourceCommandState CanStop(string? state) =>
        state == KnownResourceStates.Stopping ? ResourceCommandState.Disabled : IsDown(state) ? ResourceCommandState.Hidden : ResourceCommandState.Enabled;

    private static bool IsDown(string? state) => state is null || state == KnownResourceStates.NotStarted || KnownResourceStates.TerminalStates.Contains(state);
}
