using System.Runtime.CompilerServices;

namespace Fluster.Cluster;

/// <summary>
/// Submits lambdas and methods as jobs. What a lambda captures travels as JSON, as copies; what cannot travel is refused, by name. A
/// <see cref="CancellationToken"/> parameter becomes <see cref="FlusterContext.Stopping"/>.
/// </summary>
public static class SubmitExtensions
{
    // Where a lambda fits several of these, those for Task come first, as with Task.Run.
    private const int TaskFirst = 1;

    extension(IClusterController controller)
    {
        /// <summary>Submits a method without a result.</summary>
        /// <exception cref="JobRequestException">Something in it cannot travel, or a limit is passed; the message names it.</exception>
        /// <exception cref="ClusterException">The controller refused it or cannot be reached.</exception>
        public Task<JobHandle> SubmitAsync(Action method, JobOptions? options = null, CancellationToken cancellationToken = default) =>
            controller.SubmitMethodAsync(method, options, cancellationToken);

        /// <inheritdoc cref="SubmitAsync(IClusterController, Action, JobOptions?, CancellationToken)"/>
        public Task<JobHandle> SubmitAsync(Action<CancellationToken> method, JobOptions? options = null, CancellationToken cancellationToken = default) =>
            controller.SubmitMethodAsync(method, options, cancellationToken);

        /// <summary>Submits an asynchronous method without a result.</summary>
        /// <inheritdoc cref="SubmitAsync(IClusterController, Action, JobOptions?, CancellationToken)" path="/exception"/>
        [OverloadResolutionPriority(TaskFirst)]
        public Task<JobHandle> SubmitAsync(Func<Task> method, JobOptions? options = null, CancellationToken cancellationToken = default) =>
            controller.SubmitMethodAsync(method, options, cancellationToken);

        /// <inheritdoc cref="SubmitAsync(IClusterController, Func{Task}, JobOptions?, CancellationToken)"/>
        [OverloadResolutionPriority(TaskFirst)]
        public Task<JobHandle> SubmitAsync(Func<CancellationToken, Task> method, JobOptions? options = null, CancellationToken cancellationToken = default) =>
            controller.SubmitMethodAsync(method, options, cancellationToken);

        /// <inheritdoc cref="SubmitAsync(IClusterController, Func{Task}, JobOptions?, CancellationToken)"/>
        public Task<JobHandle> SubmitAsync(Func<ValueTask> method, JobOptions? options = null, CancellationToken cancellationToken = default) =>
            controller.SubmitMethodAsync(method, options, cancellationToken);

        /// <summary>Submits a method that returns something.</summary>
        /// <inheritdoc cref="SubmitAsync(IClusterController, Action, JobOptions?, CancellationToken)" path="/exception"/>
        public Task<JobHandle<T>> SubmitAsync<T>(Func<T> method, JobOptions? options = null, CancellationToken cancellationToken = default) =>
            controller.SubmitMethodAsync<T>(method, options, cancellationToken);

        /// <inheritdoc cref="SubmitAsync{T}(IClusterController, Func{T}, JobOptions?, CancellationToken)"/>
        public Task<JobHandle<T>> SubmitAsync<T>(Func<CancellationToken, T> method, JobOptions? options = null, CancellationToken cancellationToken = default) =>
            controller.SubmitMethodAsync<T>(method, options, cancellationToken);

        /// <summary>Submits an asynchronous method that returns something.</summary>
        /// <inheritdoc cref="SubmitAsync(IClusterController, Action, JobOptions?, CancellationToken)" path="/exception"/>
        [OverloadResolutionPriority(TaskFirst)]
        public Task<JobHandle<T>> SubmitAsync<T>(Func<Task<T>> method, JobOptions? options = null, CancellationToken cancellationToken = default) =>
            controller.SubmitMethodAsync<T>(method, options, cancellationToken);

        /// <inheritdoc cref="SubmitAsync{T}(IClusterController, Func{Task{T}}, JobOptions?, CancellationToken)"/>
        [OverloadResolutionPriority(TaskFirst)]
        public Task<JobHandle<T>> SubmitAsync<T>(Func<CancellationToken, Task<T>> method, JobOptions? options = null, CancellationToken cancellationToken = default) =>
            controller.SubmitMethodAsync<T>(method, options, cancellationToken);

        /// <inheritdoc cref="SubmitAsync{T}(IClusterController, Func{Task{T}}, JobOptions?, CancellationToken)"/>
        public Task<JobHandle<T>> SubmitAsync<T>(Func<ValueTask<T>> method, JobOptions? options = null, CancellationToken cancellationToken = default) =>
            controller.SubmitMethodAsync<T>(method, options, cancellationToken);

        private Task<JobHandle> SubmitMethodAsync(Delegate method, JobOptions? options, CancellationToken cancellationToken) =>
            controller.SubmitAsync((options ?? new JobOptions()).ToRequest(method), cancellationToken);

        private async Task<JobHandle<T>> SubmitMethodAsync<T>(Delegate method, JobOptions? options, CancellationToken cancellationToken)
        {
            var handle = await controller.SubmitMethodAsync(method, options, cancellationToken).ConfigureAwait(false);
            return new JobHandle<T>(controller, handle.Id) { Trace = handle.Trace };
        }
    }
}
