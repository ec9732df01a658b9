using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>
/// Jobs that run items: methods and lambdas, each on whichever worker is idle, one at a time on each. What an item captures, is given and
/// returns travels as JSON, as copies, as with jobs; a <see cref="CancellationToken"/> parameter is cancelled when its worker has to stop.
/// </summary>
/// <remarks>
/// The workers are jobs of the job that makes the pool, found as <c>_workerpool_&lt;8 hex&gt;:worker-&lt;i&gt;</c>. Items wait until there are
/// workers. What an item throws is thrown to whoever waits for it, with its type, and never tried again. When a worker is lost, what it had
/// runs again on another one (see <see cref="WorkerPoolOptions.AtMostOnce"/>); an item that was running on three workers when they died fails.
/// A worker that ends is replaced, after 1 second, then 2, up to 60. Safe for use by many threads. Source: seed 003, stage 8.
/// </remarks>
public sealed class WorkerPool : IAsyncDisposable
{
    private const int TaskFirst = 1;
    private static readonly TimeSpan s_longestWait = TimeSpan.FromSeconds(60);

    private readonly WorkerPoolOptions _options;
    private readonly PoolDispatcher _dispatcher;
    private readonly PoolWorkers _workers;
    private readonly TimeProvider _time = TimeProvider.System;

    /// <summary>A pool whose workers are being started.</summary>
    /// <param name="client">The cluster whose jobs the workers are.</param>
    /// <param name="workers">How many.</param>
    /// <param name="resources">What each needs. Default: 0.1 cores and 256 MiB.</param>
    /// <param name="options">How the pool works.</param>
    /// <exception cref="ArgumentException">There cannot be so many workers, or the prefix cannot be part of a job's name.</exception>
    public WorkerPool(IClusterController client, int workers, ResourceSpec? resources = null, WorkerPoolOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentOutOfRangeException.ThrowIfLessThan(workers, 1);
        if (client is LocalClient local && workers > local.MaxTasks)
        {
            throw new ArgumentOutOfRangeException(nameof(workers), workers, $"This LocalClient runs {local.MaxTasks} tasks at a time: ask for fewer workers, or give it a larger MaxTasks.");
        }

        _options = options ?? new WorkerPoolOptions();
        Id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
        Name = $"_workerpool_{Id}";
        _dispatcher = new PoolDispatcher(_options.Prefetch, _options.AtMostOnce, _time);
        var slots = Enumerable.Range(0, workers).Select(index => NewSlot(
            client, $"{_options.NamePrefix}-{Id}-{index}", $"{Name}:{_options.NamePrefix}-{index}", resources ?? new ResourceSpec(), _options, _time));
        _workers = PoolWorkers.Start(client, Name, [.. slots], _dispatcher, _time);
    }

    /// <summary>Eight hexadecimal digits.</summary>
    public string Id { get; }

    /// <summary>What its workers' endpoints begin with.</summary>
    public string Name { get; }

    /// <summary>How many workers can run items now.</summary>
    public int Size => _dispatcher.Ready;

    /// <summary>The pool as it is now.</summary>
    public WorkerPoolStatus Status => _dispatcher.Status(_workers.Count, _workers.Dead);

    /// <summary>The jobs of the workers that there are now.</summary>
    public IReadOnlyList<JobId> Jobs => _workers.Jobs;

    /// <summary>Returns when so many workers can run items.</summary>
    /// <param name="count">How many. Default: all.</param>
    /// <param name="timeout">The longest wait. Default: 60 seconds (seed 003).</param>
    /// <param name="cancellationToken">Stops the wait.</param>
    /// <exception cref="TimeoutException">There are fewer; the message says how many, and what keeps one of the others.</exception>
    /// <exception cref="WorkerPoolException">There will not be so many: the pool was shut down, or all its workers were given up.</exception>
    public async Task WaitForWorkersAsync(int? count = null, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        var (wanted, longest, start) = (count ?? _workers.Count, timeout ?? s_longestWait, _time.GetTimestamp());
        ArgumentOutOfRangeException.ThrowIfGreaterThan(wanted, _workers.Count, nameof(count));
        while (true)
        {
            var changed = _dispatcher.Changed;
            if (_dispatcher.Ready >= wanted)
            {
                return;
            }

            if (_dispatcher.End is { } end)
            {
                throw new WorkerPoolException(end.Message, end.InnerException);
            }

            var left = longest - _time.GetElapsedTime(start);
            try
            {
                await changed.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, _time, cancellationToken).ConfigureAwait(false);
            }
            catch (TimeoutException exception)
            {
                throw new TimeoutException(
                    $"{_dispatcher.Ready} of {wanted} workers of {Name} are ready after {longest.TotalSeconds:0.###} s.{await _workers.WhyNotAsync(cancellationToken).ConfigureAwait(false)}", exception);
            }
        }
    }

    /// <summary>Has a method run on a worker.</summary>
    /// <param name="method">The method or lambda.</param>
    /// <param name="cancellationToken">Gives up the item: one that has not begun does not run; one that runs is not stopped.</param>
    /// <exception cref="JobRequestException">Something in it cannot travel; the message names it.</exception>
    /// <exception cref="WorkerPoolException">The pool was shut down, its workers are dead, or workers died of the item.</exception>
    public Task SubmitAsync(Action method, CancellationToken cancellationToken = default) => EnqueueAsync<object?>(method, cancellationToken);

    /// <inheritdoc cref="SubmitAsync(Action, CancellationToken)"/>
    [OverloadResolutionPriority(TaskFirst)]
    public Task SubmitAsync(Func<Task> method, CancellationToken cancellationToken = default) => EnqueueAsync<object?>(method, cancellationToken);

    /// <inheritdoc cref="SubmitAsync(Action, CancellationToken)"/>
    [OverloadResolutionPriority(TaskFirst)]
    public Task SubmitAsync(Func<CancellationToken, Task> method, CancellationToken cancellationToken = default) => EnqueueAsync<object?>(method, cancellationToken);

    /// <summary>Has a method run on a worker, and returns what it returns.</summary>
    /// <inheritdoc cref="SubmitAsync(Action, CancellationToken)"/>
    public Task<TResult> SubmitAsync<TResult>(Func<TResult> method, CancellationToken cancellationToken = default) => EnqueueAsync<TResult>(method, cancellationToken);

    /// <inheritdoc cref="SubmitAsync{TResult}(Func{TResult}, CancellationToken)"/>
    [OverloadResolutionPriority(TaskFirst)]
    public Task<TResult> SubmitAsync<TResult>(Func<Task<TResult>> method, CancellationToken cancellationToken = default) => EnqueueAsync<TResult>(method, cancellationToken);

    /// <inheritdoc cref="SubmitAsync{TResult}(Func{TResult}, CancellationToken)"/>
    [OverloadResolutionPriority(TaskFirst)]
    public Task<TResult> SubmitAsync<TResult>(Func<CancellationToken, Task<TResult>> method, CancellationToken cancellationToken = default) => EnqueueAsync<TResult>(method, cancellationToken);

    /// <summary>Has a method run for each item, and returns the results in the items' order once all have ended.</summary>
    /// <param name="method">The method. It is sent to a worker once, with what it captures; the items that run there share that copy.</param>
    /// <param name="items">The items.</param>
    /// <param name="cancellationToken">Gives up the items that have not ended.</param>
    /// <exception cref="Exception">What the first item in order threw that failed.</exception>
    /// <exception cref="JobRequestException">The method or an item cannot travel.</exception>
    public Task<IReadOnlyList<TResult>> MapAsync<TItem, TResult>(Func<TItem, TResult> method, IEnumerable<TItem> items, CancellationToken cancellationToken = default) =>
        new PoolMap<TItem, TResult>(_dispatcher, method).RunAsync(items, cancellationToken);

    /// <inheritdoc cref="MapAsync{TItem, TResult}(Func{TItem, TResult}, IEnumerable{TItem}, CancellationToken)"/>
    [OverloadResolutionPriority(TaskFirst)]
    public Task<IReadOnlyList<TResult>> MapAsync<TItem, TResult>(Func<TItem, Task<TResult>> method, IEnumerable<TItem> items, CancellationToken cancellationToken = default) =>
        new PoolMap<TItem, TResult>(_dispatcher, method).RunAsync(items, cancellationToken);

    /// <summary>
    /// Has a method run for each item of a stream, and returns the results as a stream, in the items' order. Takes only as many items as the workers
    /// and whoever reads the results keep up with.
    /// </summary>
    /// <param name="method">The method. It is sent to a worker once, with what it captures; the items that run there share that copy.</param>
    /// <param name="items">The items.</param>
    /// <param name="cancellationToken">Gives up the items that have not ended.</param>
    public IAsyncEnumerable<TResult> MapAsync<TItem, TResult>(Func<TItem, TResult> method, IAsyncEnumerable<TItem> items, CancellationToken cancellationToken = default) =>
        new PoolMap<TItem, TResult>(_dispatcher, method).StreamAsync(items, MostUnderWay, cancellationToken);

    /// <inheritdoc cref="MapAsync{TItem, TResult}(Func{TItem, TResult}, IAsyncEnumerable{TItem}, CancellationToken)"/>
    [OverloadResolutionPriority(TaskFirst)]
    public IAsyncEnumerable<TResult> MapAsync<TItem, TResult>(Func<TItem, Task<TResult>> method, IAsyncEnumerable<TItem> items, CancellationToken cancellationToken = default) =>
        new PoolMap<TItem, TResult>(_dispatcher, method).StreamAsync(items, MostUnderWay, cancellationToken);

    /// <summary>Ends the pool: items that have not ended fail, and the workers' jobs are terminated.</summary>
    /// <param name="wait">Whether to return only when those jobs have ended. Default: true (seed 003).</param>
    /// <param name="cancellationToken">Stops the wait.</param>
    public Task ShutdownAsync(bool wait = true, CancellationToken cancellationToken = default)
    {
        _dispatcher.Close(new WorkerPoolException($"{Name} was shut down."));
        return _workers.EndAsync(wait, cancellationToken);
    }

    /// <summary>Ends the pool and waits until the workers' jobs have ended.</summary>
    public async ValueTask DisposeAsync() => await ShutdownAsync().ConfigureAwait(false);

    /// <summary>Between an item that is taken from a stream and its result that is read.</summary>
    private int MostUnderWay => 2 * _workers.Count * (_options.AtMostOnce ? 1 : _options.Prefetch);

    private static PoolSlot NewSlot(IClusterController client, string jobName, string name, ResourceSpec resources, WorkerPoolOptions options, TimeProvider time)
    {
        if (JobName.Problem(jobName) is { } problem)
        {
            throw new ArgumentException($"The prefix '{options.NamePrefix}' does not make the name of a job: {problem}", nameof(options));
        }

        var request = new JobRequest
        {
            Name = jobName,
            Entrypoint = JobEntrypoint.For(PoolWorkerJob.RunAsync, name),
            Resources = resources,
            Environment = options.Environment,
            Priority = options.Priority,
            Ports = [ActorServer.PortName],
        };
        return new PoolSlot(client, request, name, time);
    }

    private Task<TResult> EnqueueAsync<TResult>(Delegate method, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(method);
        cancellationToken.ThrowIfCancellationRequested();
        var item = new WorkItem<TResult> { Payload = InvocationWriter.Write(method, []), Display = MethodReference.Of(method.Method).Display };
        _dispatcher.Enqueue([item]);
        return cancellationToken.CanBeCanceled ? PoolMap.WaitAsync(item, cancellationToken) : item.Result;
    }
}
