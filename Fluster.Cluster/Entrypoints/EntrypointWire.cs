namespace Fluster.Cluster;

/// <summary>Entrypoints as messages, with the blobs that have to be sent for them.</summary>
internal static class EntrypointWire
{
    /// <summary>The most bytes that travel inside a message; more is a blob.</summary>
    public const int MaxInlineBytes = 16 * 1024;

    /// <param name="entrypoint">What runs.</param>
    /// <param name="blobs">Gets what has to be at the controller first.</param>
    /// <exception cref="JobRequestException">A part of it cannot travel, or there is too much of it; the message names it.</exception>
    /// <exception cref="InvalidOperationException">The program that it belongs to cannot be sent; the message says why.</exception>
    public static V1.Entrypoint ToWire(JobEntrypoint entrypoint, List<BlobSource> blobs)
    {
        if (entrypoint is JobEntrypoint.CommandLine command)
        {
            var message = new V1.CommandEntrypoint();
            message.Argv.AddRange(command.Argv);
            return new V1.Entrypoint { Command = message };
        }

        var method = (JobEntrypoint.Method)entrypoint;
        var invocation = InvocationWriter.Write(method.Target, method.Arguments);
        var app = AppLocation.Of(method.Target.Method.Module.Assembly);
        var bundle = Bundle.OfApp(app);
        blobs.AddRange(bundle.Blobs);
        return new V1.Entrypoint
        {
            Dotnet = new V1.DotnetEntrypoint
            {
                App = app.App,
                Bundle = bundle.Manifest.ToWire(),
                Invocation = ToPayload(invocation, blobs),
                Display = method.Display,
            },
        };
    }

    /// <summary>Bytes inside the message when they are few, else as a blob.</summary>
    public static V1.Payload ToPayload(ReadOnlyMemory<byte> bytes, List<BlobSource> blobs)
    {
        if (bytes.Length <= MaxInlineBytes)
        {
            return new V1.Payload { Inline = Google.Protobuf.UnsafeByteOperations.UnsafeWrap(bytes) };
        }

        var blob = BlobSource.Of(bytes);
        blobs.Add(blob);
        return new V1.Payload { Blob = blob.ToWire() };
    }
}
