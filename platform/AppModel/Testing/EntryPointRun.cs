using System.Reflection;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Testing;

/// <summary>
/// The program of an AppHost, run within a test on a thread of its own. It stops in Build until the test has had its say, and its Run waits until the test has disposed the application,
/// which the test starts.
/// </summary>
internal sealed class EntryPointRun
{
    private static readonly AsyncLocal<EntryPointRun?> s_current = new();

    private readonly Assembly _assembly;
    private readonly Action<DistributedApplicationOptions, HostApplicationBuilderSettings> _configure;
    private readonly TaskCompletionSource<DistributedApplicationBuilder> _builder = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<DistributedApplication> _application = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private DistributedApplicationBuilder? _made;

    private EntryPointRun(Assembly assembly, Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configure) => (_assembly, _configure) = (assembly, configure);

    /// <summary>The run that the caller's code belongs to; null outside of one.</summary>
    public static EntryPointRun? Current => s_current.Value;

    /// <summary>The builder, when the program wants to build it.</summary>
    public Task<DistributedApplicationBuilder> Builder => _builder.Task;

    public static EntryPointRun Start(Assembly assembly, string[] args, Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configure)
    {
        var entryPoint = assembly.EntryPoint ?? throw new InvalidOperationException($"{assembly.GetName().Name} is no AppHost: it has no entry point.");
        var run = new EntryPointRun(assembly, configure);
        new Thread(() => run.Invoke(entryPoint, args)) { IsBackground = true, Name = $"Main of {assembly.GetName().Name}" }.Start();
        return run;
    }

    /// <summary>The program makes its builder.</summary>
    public void Creating(DistributedApplicationOptions options, HostApplicationBuilderSettings settings)
    {
        options.AssemblyName ??= _assembly.GetName().Name;
        DistributedApplicationTestingBuilder.Prepare(options, settings, _configure);
    }

    /// <summary>The program builds: it waits here until the test asks for it.</summary>
    /// <exception cref="OperationCanceledException">The test wants no application any more.</exception>
    public void Building(DistributedApplicationBuilder builder)
    {
        if (Interlocked.CompareExchange(ref _made, builder, null) is null)
        {
            _builder.TrySetResult(builder);
            _asked.Task.GetAwaiter().GetResult();
        }
    }

    /// <summary>The program has built.</summary>
    public void Built(DistributedApplicationBuilder builder, DistributedApplication application)
    {
        if (ReferenceEquals(_made, builder))
        {
            _application.TrySetResult(application);
        }
    }

    public Task<DistributedApplication> BuildAsync()
    {
        _asked.TrySetResult();
        return _application.Task;
    }

    /// <summary>Returns when the program has ended: its application was disposed, or it is not to build one.</summary>
    public Task EndAsync()
    {
        _asked.TrySetCanceled();
        return _ended.Task;
    }

    private void Invoke(MethodInfo entryPoint, string[] args)
    {
        s_current.Value = this;
        try
        {
            var result = entryPoint.Invoke(null, entryPoint.GetParameters().Length == 0 ? null : [args]);
            (result as Task)?.GetAwaiter().GetResult();
            Fail(new InvalidOperationException($"The program of {_assembly.GetName().Name} ended without building an application."));
        }
        catch (TargetInvocationException exception)
        {
            Fail(exception.InnerException ?? exception);
        }
        catch (Exception exception)
        {
            Fail(exception);
        }
        finally
        {
            _ended.TrySetResult();
        }
    }

    private void Fail(Exception exception)
    {
        _builder.TrySetException(exception);
        _application.TrySetException(exception);
        _ = (_builder.Task.Exception, _application.Task.Exception); // whoever asks hears it; nobody has to
    }
}
