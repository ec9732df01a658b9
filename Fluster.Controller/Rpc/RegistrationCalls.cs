using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Fluster.Controller;

/// <summary>The streams that keep registrations live.</summary>
internal sealed class RegistrationCalls(ClusterLoop loop, IOptions<ControllerOptions> options)
{
    /// <summary>So many beats come in the time after which a silent registration ends.</summary>
    private const double BeatsPerLease = 3;

    public async Task OpenAsync(
        Caller caller, IAsyncStreamReader<V1.OpenRegistrationRequest> frames, IServerStreamWriter<V1.OpenRegistrationResponse> responses, CancellationToken cancellationToken)
    {
        if (!await frames.MoveNext(cancellationToken) || frames.Current.FrameCase != V1.OpenRegistrationRequest.FrameOneofCase.Open)
        {
            throw Invalid("The first frame opens a registration.");
        }

        var open = frames.Current.Open;
        if (!EndpointId.IsValid(open.RegistrationId))
        {
            throw Invalid($"'{open.RegistrationId}' is not a registration id.");
        }

        var opened = await loop.ApplyAsync(
            new ClusterInput.OpenRegistration(RegistrationId.Parse(open.RegistrationId), EndpointCalls.NamespaceOf(caller, open.Namespace)), cancellationToken);
        try
        {
            var meta = loop.Current.Meta;
            await responses.WriteAsync(
                new V1.OpenRegistrationResponse
                {
                    ClusterId = meta.ClusterId,
                    Epoch = meta.Epoch,
                    BeatInterval = Duration.FromTimeSpan(TimeSpan.FromSeconds(options.Value.RegistrationLostSeconds / BeatsPerLease)),
                },
                cancellationToken);
            await ListenAsync(opened.Subject, frames, cancellationToken);
        }
        finally
        {
            // However the stream was lost: its time counts from now. After a close this says nothing.
            await loop.PostAsync(new ClusterInput.HearRegistration(opened.Subject), CancellationToken.None);
        }
    }

    private async Task ListenAsync(long uid, IAsyncStreamReader<V1.OpenRegistrationRequest> frames, CancellationToken cancellationToken)
    {
        while (await frames.MoveNext(cancellationToken))
        {
            switch (frames.Current.FrameCase)
            {
                case V1.OpenRegistrationRequest.FrameOneofCase.Beat:
                    await loop.ApplyAsync(new ClusterInput.HearRegistration(uid), cancellationToken);
                    break;
                case V1.OpenRegistrationRequest.FrameOneofCase.Close:
                    await loop.ApplyAsync(new ClusterInput.EndRegistration(uid, Lost: false), cancellationToken);
                    return;
                default:
                    throw Invalid("An open registration sends beats, and at last a close.");
            }
        }
    }

    private static RpcException Invalid(string message) => new(new Status(StatusCode.InvalidArgument, message));
}
