using Fluster.Actors.V1;
using Fluster.Cluster;
using Grpc.Core;

namespace Fluster.Actors;

/// <summary>The RPCs of an actor server. What goes wrong in or around the method is data; what goes wrong with the call is a status.</summary>
internal sealed class ActorCallService(ActorTable actors, ServingContext serving) : ActorService.ActorServiceBase
{
    public override async Task<CallResponse> Call(CallRequest request, ServerCallContext context)
    {
        if (actors.Find(request.Actor, out var problem) is not { } actor)
        {
            return Failed(V1.ActorErrorKind.NotFound, "NotFound", problem);
        }

        if (!actor.Has(request.Method))
        {
            return Failed(V1.ActorErrorKind.NotFound, "NotFound", $"Method '{request.Method}' not found on actor '{actor.Name}'.");
        }

        try
        {
            return new CallResponse
            {
                Value = await actor.CallAsync(request.Method, request.Arguments, serving.Context, context.CancellationToken).ConfigureAwait(false),
            };
        }
        catch (ArgumentMismatchException exception)
        {
            return Failed(V1.ActorErrorKind.InvalidArgument, "InvalidArgument", exception.Message);
        }
        catch (UnwritableResultException exception)
        {
            return Failed(V1.ActorErrorKind.Result, "Result", exception.Message);
        }
        catch (MailboxFullException exception)
        {
            throw new RpcException(new Status(StatusCode.ResourceExhausted, exception.Message));
        }
        catch (OperationCanceledException) when (context.CancellationToken.IsCancellationRequested)
        {
            throw new RpcException(new Status(StatusCode.Cancelled, "The call was cancelled."));
        }
#pragma warning disable CA1031 // Whatever the method throws is its answer.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            return Failed(V1.ActorErrorKind.Exception, exception.GetType().FullName ?? exception.GetType().Name, exception.Message, exception.StackTrace);
        }
    }

    public override Task<HealthCheckResponse> HealthCheck(HealthCheckRequest request, ServerCallContext context) =>
        Task.FromResult(new HealthCheckResponse { Healthy = true });

    private static CallResponse Failed(V1.ActorErrorKind kind, string type, string message, string? stack = null) =>
        new() { Error = new ActorError { Kind = kind, Type = type, Message = message, Stack = stack ?? "" } };
}

/// <summary>The context in which a server runs its actors' methods: that of the job that started it, if any.</summary>
internal sealed record ServingContext(FlusterContext? Context);
