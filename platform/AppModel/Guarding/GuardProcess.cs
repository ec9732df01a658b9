using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Aspire.Hosting.Running;

namespace Aspire.Hosting.Guarding;

/// <summary>The AppHost's side of its guard.</summary>
internal sealed class GuardProcess : IAsyncDisposable
{
    private static readonly TimeSpan s_startLimit = TimeSpan.FromSeconds(20);

    // A little more than the guard allows itself.
    private static readonly TimeSpan s_endLimit = TimeSpan.FromSeconds(12);

    private readonly Process _process;
    private readonly Lock _lock = new();

    private GuardProcess(Process process, string application)
    {
        _process = process;
        Application = application;
    }

    /// <summary>The first part of the value of <see cref="WardSweep.Variable"/> in every process of this application.</summary>
    public string Application { get; }

    public int Pid => _process.Id;

    /// <summary>Starts the guard and waits until it watches.</summary>
    /// <exception cref="DistributedApplicationException">It did not start: without it, killing the AppHost would leave processes behind.</exception>
    public static async Task<GuardProcess> StartAsync(CancellationToken cancellationToken)
    {
        var application = RandomNumberGenerator.GetHexString(32, lowercase: true);
        var self = OperatingSystem.IsLinux() ? ProcessTable.Read(Environment.ProcessId)!.Value.Identity : new ProcessIdentity(Environment.ProcessId, 0);
        var start = Programs.InOwnSession(Programs.Dotnet, [
            .. Programs.AssemblyArguments(typeof(GuardProgram).Assembly.Location),
            GuardProgram.Verb,
            self.Pid.ToString(CultureInfo.InvariantCulture),
            self.StartTime.ToString(CultureInfo.InvariantCulture),
            $"{WardSweep.Variable}={application}.",
        ]);
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.WorkingDirectory = Path.GetPathRoot(Environment.CurrentDirectory) ?? "/";
        var process = Process.Start(start) ?? throw new DistributedApplicationException("The guard process did not start.");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_startLimit);
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        if (await process.StandardOutput.ReadLineAsync(limit.Token) != GuardProgram.Ready)
        {
            throw new DistributedApplicationException($"The guard process did not start: {await errors}");
        }

        return new GuardProcess(process, application);
    }

    /// <summary>What a process of the application has as value of <see cref="WardSweep.Variable"/>.</summary>
    public string MarkOf(string resourceId) => $"{Application}.{resourceId}";

    public void AddRoot(ProcessIdentity process) =>
        Tell($"{GuardProgram.RootLine} {process.Pid.ToString(CultureInfo.InvariantCulture)} {process.StartTime.ToString(CultureInfo.InvariantCulture)}");

    public void AddContainer(string command, string name) => Tell($"{GuardProgram.ContainerLine} {command} {name}");

    /// <summary>Lets the guard look once more for what is left, and waits until it has.</summary>
    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        try
        {
            await _process.WaitForExitAsync().WaitAsync(s_endLimit, TimeProvider.System);
        }
        catch (TimeoutException)
        {
            // It goes on without us.
        }

        _process.Dispose();
    }

    private void Tell(string line)
    {
        try
        {
            lock (_lock)
            {
                _process.StandardInput.WriteLine(line);
                _process.StandardInput.Flush();
            }
        }
        catch (IOException exception)
        {
            throw new DistributedApplicationException("The guard process has ended; nothing more is started without it.", exception);
        }
    }
}
