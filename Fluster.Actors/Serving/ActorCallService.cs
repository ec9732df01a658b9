using System.Text;
using Fluster.Actors.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Fluster.Actors;

/// <summary>The RPCs of an actor server, for any language. What goes wrong in or around the method is data; what goes wrong with the call is a status.</summary>
internal sealed class ActorCallService(ActorTable actors) : ActorService.ActorServiceBase
{
    public override async Task<CallResponse> Call(CallRequest request, ServerCallContext context)
    {
        if (!TryReadHandle(request.Handle, out var handle))
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"'{request.Handle}' is no handle: it is 32 hexadecimal digits."));
        }

        if (actors.Find(new ActorTarget(request.Actor, handle), out var failure) is not { } actor)
        {
            return Failed(failure);
        }

        using var call = new UnaryServerCall(context);
        try
        {
            if (UnaryArguments.Read(actor, request.Method, request.Arguments, call.Payload) is not { } method)
            {
                return Failed(ActorTable.NoMethod(actor, request.Method));
            }

            call.Bind(actor, method.Number, method.Sent);
        }
        catch (ArgumentMismatchException exception)
        {
            return Failed(CallFailure.Of(exception));
        }

        if (actor.Mailbox.Enter(call) is { } ready)
        {
            ThreadPool.UnsafeQueueUserWorkItem(ready, preferLocal: false);
        }

        return await call.Answer.ConfigureAwait(false);
    }

    public override Task<ListActorsResponse> ListActors(ListActorsRequest request, ServerCallContext context) => Task.FromResult(new ListActorsResponse
    {
        Actors =
        {
            actors.All.Select(actor => new ActorInfo
            {
                Name = actor.Name, ActorId = actor.Id, RegisteredAt = Timestamp.FromDateTimeOffset(actor.RegisteredAt), Handle = actor.Handle, Metadata = { actor.Metadata.ToDictionary() },
            }),
        },
    });

    public override Task<ListMethodsResponse> ListMethods(ListMethodsRequest request, ServerCallContext context)
    {
        if (actors.Find(request.Actor, out var problem) is not { } actor)
        {
            throw new RpcException(new Status(StatusCode.NotFound, problem));
        }

        return Task.FromResult(new ListMethodsResponse
        {
            Methods =
            {
                actor.Dispatcher.Methods.OrderBy(method => method.Name, StringComparer.Ordinal).Select(method => new MethodInfo
                {
                    Name = method.Name, Signature = method.ToString(), Documentation = method.Documentation, Parameters = { method.Parameters }, Streams = method.IsStream,
                }),
            },
        });
    }

    public override Task<HealthCheckResponse> HealthCheck(HealthCheckRequest request, ServerCallContext context) =>
        Task.FromResult(new HealthCheckResponse { Healthy = true });

    private static bool TryReadHandle(string text, out Guid handle)
    {
        handle = Guid.Empty;
        return text.Length == 0 || Guid.TryParseExact(text, "N", out handle);
    }

    private static CallResponse Failed(CallFailure failure) => new()
    {
        Error = new ActorError { Kind = (V1.ActorErrorKind)failure.Kind, Type = failure.Type, Message = failure.Message, Stack = failure.Stack },
    };

    private sealed class UnaryServerCall : ActorServerCall, IDisposable
    {
        private readonly TaskCompletionSource<CallResponse> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly CancellationTokenRegistration _cancelled;

        public UnaryServerCall(ServerCallContext context)
        {
            Payload = PayloadPool.RentPayload();
            Deadline = context.Deadline == DateTime.MaxValue ? 0 : CallScope.After(context.Deadline - TimeProvider.System.GetUtcNow().UtcDateTime);
            _cancelled = context.CancellationToken.UnsafeRegister(static call => ((UnaryServerCall)call!).Abandon(), this);
        }

        public Task<CallResponse> Answer => _answer.Task;

        private protected override bool AllowsRaw => false;

        public void Dispose() => _cancelled.Dispose();

        private protected override void Complete()
        {
            if (Result is { } written)
            {
                _answer.TrySetResult(new CallResponse { Value = Encoding.UTF8.GetString(written.Json) });
                PayloadPool.Return(written);
            }
            else if (Status(Failure!) is { } status)
            {
                _answer.TrySetException(new RpcException(status));
            }
            else
            {
                _answer.TrySetResult(Failed(Failure!));
            }
        }

        private static Status? Status(CallFailure failure) => failure.Kind switch
        {
            ActorErrorKind.ResourceExhausted => new Status(StatusCode.ResourceExhausted, failure.Message),
            ActorErrorKind.DeadlineExceeded => new Status(StatusCode.DeadlineExceeded, failure.Message),
            ActorErrorKind.Cancelled => new Status(StatusCode.Cancelled, failure.Message),
            ActorErrorKind.ShuttingDown => new Status(StatusCode.Unavailable, failure.Message),
            _ => null,
        };

        private void Abandon()
        {
            if (!TryRefuse(CallFailure.Of(ActorErrorKind.Cancelled, "The call was cancelled.")))
            {
                Cancel();
            }
        }
    }
}
