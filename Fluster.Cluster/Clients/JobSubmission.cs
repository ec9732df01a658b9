using System.Diagnostics;
using System.Security.Cryptography;

namespace Fluster.Cluster;

/// <summary>Turns a request into a job: its id, its files, its place below the job that submits it.</summary>
internal sealed class JobSubmission(FlusterClientOptions options, ControllerCalls calls, BlobUploader uploader)
{
    private const int MaxRolls = 5;

    /// <summary>How long a submit that was cancelled may take for taking its job back.</summary>
    private static readonly TimeSpan s_takingBack = TimeSpan.FromSeconds(5);

    /// <returns>The job, and the span that it was submitted in.</returns>
    public async Task<(JobId Id, ActivityContext Trace)> SubmitAsync(JobRequest request, CancellationToken cancellationToken)
    {
        JobRequestRules.Check(request);
        using var activity = ClientTrace.Start("submit");
        var parent = Parent();
        // A random id may be taken already; a second one that is, too, is no accident any more.
        for (var roll = 1; ; roll++)
        {
            var id = parent?.JobId.Child(request.Name) ?? RootId(request.Name);
            try
            {
                var launch = new V1.LaunchJobRequest { JobId = id.ToString(), RequestId = Guid.NewGuid().ToString("N"), Trace = ClientTrace.Capture() };
                launch.Spec = request.ToWire();
                launch.Spec.Namespace = (request.Namespace ?? parent?.Namespace ?? (options.NamespacePerRootJob ? Namespace.Parse(id.ToString()) : options.Namespace)).ToString();
                var job = await LaunchAsync(launch, request, cancellationToken).ConfigureAwait(false);
                activity?.SetTag("fluster.job_id", job.JobId);
                return (JobId.Parse(job.JobId), activity?.Context ?? default);
            }
            catch (OperationCanceledException) when (parent is null)
            {
                // A child goes with its parent; and its id may be that of a sibling, for which it would have been refused.
                await TakeBackAsync(id).ConfigureAwait(false);
                throw;
            }
            catch (ClusterException exception) when (exception.Error == ClusterError.AlreadyExists && parent is null && roll < MaxRolls)
            {
                // Roll again.
            }
        }
    }

    private async Task<V1.JobInfo> LaunchAsync(V1.LaunchJobRequest launch, JobRequest request, CancellationToken cancellationToken)
    {
        var blobs = new List<BlobSource>();
        launch.Spec.Entrypoint = EntrypointWire.ToWire(request.Entrypoint, blobs);
        if (request.Environment.WorkingFiles is { } directory)
        {
            var files = Bundle.OfDirectory(directory);
            launch.Spec.Environment.WorkingFiles = files.Manifest.ToWire();
            blobs.AddRange(files.Blobs);
        }

        for (var attempt = 1; ; attempt++)
        {
            if (blobs.Count > 0)
            {
                await uploader.EnsureAsync(blobs, cancellationToken).ConfigureAwait(false);
            }

            try
            {
                var response = await calls.CallAsync((service, call) => service.LaunchJobAsync(launch, call), cancellationToken).ConfigureAwait(false);
                return response.Job;
            }
            catch (ClusterException exception) when (exception.Error == ClusterError.FailedPrecondition && blobs.Count > 0 && attempt == 1)
            {
                // The controller lost what it had, or is another one now: ask it again. Any other reason comes again, too.
                uploader.Forget();
            }
        }
    }

    /// <summary>Ends a job that the controller may have, or may get yet, and of which the caller will never hear.</summary>
    private async Task TakeBackAsync(JobId id)
    {
        using var limit = new CancellationTokenSource(s_takingBack);
        try
        {
            var request = new V1.TerminateJobRequest { JobId = id.ToString() };
            await calls.CallAsync((service, call) => service.TerminateJobAsync(request, call), limit.Token).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is ClusterException or OperationCanceledException)
        {
            // Mostly: not found. It is not there, and will be refused when it still comes.
        }
    }

    /// <summary>The context of the job that submits, when that job is of this cluster.</summary>
    private FlusterContext? Parent() =>
        FlusterContext.CurrentOrNull is { } context && (context.Controller is not { } own || own.Address == options.Address) ? context : null;

    private static JobId RootId(string name) => JobId.Parse($"{name}-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}");
}
