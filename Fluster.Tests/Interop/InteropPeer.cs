using System.Diagnostics;
using System.Text.Json;
using Fluster.Tests.Interop;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Fluster.Tests;

/// <summary>A program in another language that has the interoperability cases.</summary>
internal sealed class InteropPeer
{
    // The system's: python3-grpcio is there, and not in whatever python3 is first on PATH.
    private const string Python = "/usr/bin/python3";

    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);
    private static readonly string s_folder = Path.Combine(Repository.Root, "Fluster.Tests", "Interop");
    private static readonly string s_protos = Path.Combine(Repository.Root, "Fluster.Tests", "Protos");
    private static readonly Lazy<string> s_descriptors = new(WriteDescriptors);

    private readonly string _program;
    private readonly string[] _args;
    private readonly Func<string[]> _protos;

    private InteropPeer(string program, string[] args, Func<string[]> protos)
    {
        _program = program;
        _args = args;
        _protos = protos;
    }

    public static InteropPeer GrpcJs { get; } = new("node", [Path.Combine(s_folder, "node", "grpc-js.mjs")], () => [s_protos]);

    public static InteropPeer Connect { get; } = new("node", [Path.Combine(s_folder, "node", "connect.mjs")], () => [s_descriptors.Value]);

    public static InteropPeer Grpcio { get; } = new(Python, [Path.Combine(s_folder, "python", "peer.py")], () => [s_descriptors.Value]);

    /// <summary>Why this machine cannot run the peer; null when it can.</summary>
    public string? Missing() => _program == Python
        ? !File.Exists(Python) || Run(Python, ["-c", "import grpc, google.protobuf"]) != 0 ? "python3-grpcio is not installed (eng/install-services.sh installs it)." : null
        : Tools.Find("node") is null ? "node is not on PATH (eng/install-services.sh installs it)."
        : !Directory.Exists(Path.Combine(s_folder, "node", "node_modules", "@grpc", "grpc-js")) ? "The npm packages of Fluster.Tests/Interop/node are not there (eng/install-services.sh brings them)."
        : null;

    /// <summary>Runs the peer's client against <paramref name="address"/>: each case with its error, or null.</summary>
    public async Task<Dictionary<string, string?>> RunClientAsync(string address, params string[] more)
    {
        using var process = Start(["client", address, .. _protos(), .. more]);
        process.StandardInput.Close();
        using var timeout = new CancellationTokenSource(s_patience, TimeProvider.System);
        var results = new Dictionary<string, string?>(StringComparer.Ordinal);
        try
        {
            while (await process.StandardOutput.ReadLineAsync(timeout.Token) is { } line)
            {
                var result = JsonDocument.Parse(line).RootElement;
                results[result.GetProperty("case").GetString()!] = result.GetProperty("error").GetString();
            }
        }
        finally
        {
            process.Kill(entireProcessTree: true);
        }

        return results;
    }

    /// <summary>Starts the peer's server.</summary>
    public async Task<PeerServer> StartServerAsync()
    {
        var process = Start(["server", .. _protos()]);
        using var timeout = new CancellationTokenSource(s_patience, TimeProvider.System);
        var line = await process.StandardOutput.ReadLineAsync(timeout.Token)
            ?? throw new InvalidOperationException($"{_program} {string.Join(' ', _args)} ended before it served.");
        return new PeerServer(process, JsonDocument.Parse(line).RootElement.GetProperty("address").GetString()!);
    }

    private Process Start(IEnumerable<string> args)
    {
        var start = new ProcessStartInfo(_program, [.. _args, .. args]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        return Process.Start(start) ?? throw new InvalidOperationException($"{_program} did not start.");
    }

    private static int Run(string program, string[] args)
    {
        using var process = Process.Start(new ProcessStartInfo(program, args) { RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode;
    }

    // The same descriptors that the generated C# has: the peers need no generated code.
    private static string WriteDescriptors()
    {
        var file = FileDescriptorProto.Parser.ParseFrom(InteropReflection.Descriptor.SerializedData);
        foreach (var (message, index) in InteropReflection.Descriptor.MessageTypes.Select((message, index) => (message, index)))
        {
            // Left out of what C# embeds.
            foreach (var field in file.MessageType[index].Field)
            {
                field.JsonName = message.FindFieldByNumber(field.Number).JsonName;
            }
        }

        var set = new FileDescriptorSet { File = { file } };
        var path = Path.Combine(Directory.CreateTempSubdirectory("fluster-interop-").FullName, "interop.binpb");
        File.WriteAllBytes(path, set.ToByteArray());
        return path;
    }

    internal sealed class PeerServer(Process process, string address) : IDisposable
    {
        public string Address { get; } = address;

        public void Dispose()
        {
            process.StandardInput.Close(); // which is how it is told to end
            if (!process.WaitForExit(TimeSpan.FromSeconds(10)))
            {
                process.Kill(entireProcessTree: true);
            }

            process.Dispose();
        }
    }
}
