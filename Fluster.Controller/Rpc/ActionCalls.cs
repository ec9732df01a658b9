using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Fluster.Controller;

/// <summary>The call that lists what happened.</summary>
internal sealed class ActionCalls(ActionLog log)
{
    private const int DefaultPage = 100;
    private const int LargestPage = 1_000;

    public V1.ListActionsResponse List(Caller caller, V1.ListActionsRequest request)
    {
        var all = request.Namespace == "*";
        if (all && !caller.IsOperator)
        {
            throw new RpcException(new Status(StatusCode.PermissionDenied, "The actions of all namespaces and of workers need a token of the role admin or service."));
        }

        var @namespace = all ? default : EndpointCalls.NamespaceOf(caller, request.Namespace);
        JobId? within = request.JobId.Length == 0 ? null
            : JobId.TryParse(request.JobId, out var id) ? id
            : throw new RpcException(new Status(StatusCode.InvalidArgument, $"'{request.JobId}' is not a job id."));
        var before = request.PageToken.Length == 0 ? long.MaxValue
            : long.TryParse(request.PageToken, out var token) && token > 0 ? token
            : throw new RpcException(new Status(StatusCode.InvalidArgument, "The page token is not one that this controller gave out."));
        var size = request.PageSize <= 0 ? DefaultPage : Math.Min(request.PageSize, LargestPage);

        bool Matches(ActionRecord action) =>
            (all ? caller.IsAdmin || action.Namespace is not { } own || own == caller.Namespace : action.Namespace == @namespace)
            && (request.Kind.Length == 0 || action.Kind == request.Kind)
            && (within is not { } ancestor || action.JobId is { } job && job.IsWithin(ancestor));

        var response = new V1.ListActionsResponse();
        foreach (var (number, action) in log.Read(before, size, Matches))
        {
            response.Actions.Add(ToWire(number, action));
        }

        if (response.Actions.Count == size)
        {
            response.NextPageToken = response.Actions[^1].Number.ToString();
        }

        return response;
    }

    private static V1.ActionInfo ToWire(long number, ActionRecord action) => new()
    {
        Number = number,
        Time = Timestamp.FromDateTimeOffset(DateTimeOffset.FromUnixTimeMilliseconds(action.Time)),
        Kind = action.Kind,
        Namespace = action.Namespace?.ToString() ?? "",
        JobId = action.JobId?.ToString() ?? "",
        WorkerId = action.WorkerId?.ToString() ?? "",
        EndpointId = action.EndpointId?.ToString() ?? "",
        Details = action.Details,
    };
}
