using Fluster.Cluster;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>What goes over the wire comes back the same, and what cannot be right is refused.</summary>
public class WireTests
{
    private static readonly DateTimeOffset s_noon = new(2026, 8, 1, 12, 0, 0, 250, TimeSpan.Zero);

    [Theory]
    [MemberData(nameof(Devices))]
    public void Resources_RoundTrip(Device device)
    {
        var resources = new ResourceSpec { Cpu = 1.25, Memory = "3g", Disk = "10g", Device = device, Preemptible = true, Regions = ["a", "b"] };

        Assert.Equal(resources, V1.ResourceSpec.Parser.ParseFrom(Google.Protobuf.MessageExtensions.ToByteArray(resources.ToWire())).ToDomain());
    }

    public static TheoryData<Device> Devices => [new Device.Cpu(), new Device.Gpu("h100", 2), new Device.Tpu("v4-8")];

    [Fact]
    public void Resources_ThatCannotBe_AreRefused()
    {
        Assert.Throws<FormatException>(() => new V1.ResourceSpec { CpuMillis = -1 }.ToDomain());
        Assert.Throws<FormatException>(() => new V1.ResourceSpec { MemoryBytes = -1 }.ToDomain());
        Assert.Throws<FormatException>(() => new V1.ResourceSpec { Device = new V1.Device { Gpu = new V1.GpuDevice { Variant = "x" } } }.ToDomain());
        Assert.Throws<FormatException>(() => new V1.ResourceSpec { Device = new V1.Device { Tpu = new V1.TpuDevice { Variant = "v4-9" } } }.ToDomain());
    }

    [Fact]
    public void Job_RoundTrips()
    {
        var failure = new JobFailure(FailureKind.ExitCode, "Exit code: 3")
        {
            ExitCode = 3,
            LastLines = ["a", "b"],
            Exception = new RemoteExceptionInfo("System.InvalidOperationException", "no", "at X"),
        };
        var status = new JobStatus
        {
            Id = JobId.Parse("train-1a2b3c4d/step"),
            Name = "step",
            Namespace = Namespace.Parse("prod"),
            State = JobState.Failed,
            Stopping = true,
            Failure = failure,
            Replicas = 2,
            Entrypoint = "Train.Step",
            CreatedAt = s_noon,
            StartedAt = s_noon.AddSeconds(1),
            EndedAt = s_noon.AddSeconds(2),
            Tasks =
            [
                new JobTaskStatus(0, JobState.Failed,
                [
                    new JobAttemptStatus(new Fence(ulong.MaxValue), WorkerId.Parse("w1"), JobState.Failed)
                    {
                        StartedAt = s_noon,
                        Failure = failure,
                        Ports = new Dictionary<string, int>(StringComparer.Ordinal) { ["actor"] = 30001 },
                    },
                ]),
            ],
        };

        var back = V1.JobInfo.Parser.ParseFrom(Google.Protobuf.MessageExtensions.ToByteArray(status.ToWire())).ToDomain();

        Assert.Equivalent(status, back, strict: true);
        Assert.Equal(3, back.ExitCode);
    }

    [Theory]
    [InlineData(FailureKind.ExitCode, 0, 0)]
    [InlineData(FailureKind.Timeout, -1, -1)]
    [InlineData(FailureKind.Killed, null, null)]
    [InlineData(FailureKind.Killed, 143, 143)]
    public void Failure_ExitCode_IsThereWhereThereIsOne(FailureKind kind, int? exitCode, int? expected) =>
        Assert.Equal(expected, new JobFailure(kind, "x") { ExitCode = exitCode }.ToWire().ToDomain().ExitCode);

    // The numbers of the wire are those of the enums; a value added on one side only would go wrong silently.
    [Fact]
    public void Enums_HaveTheNumbersOfTheWire()
    {
        AssertSame<JobState, V1.JobState>();
        AssertSame<FailureKind, V1.FailureKind>();
        AssertSame<KillCause, V1.KillCause>();
        AssertSame<JobPriority, V1.Priority>();
        AssertSame<JobLogStream, V1.LogStream>();
    }

    [Fact]
    public void JobState_Unknown_IsRefused() => Assert.Throws<FormatException>(() => ((V1.JobState)77).ToDomain());

    [Fact]
    public void Endpoint_RoundTrips()
    {
        var endpoint = new RegisteredEndpoint(EndpointId.Parse("ep-1"), Namespace.Default, "calc", "10.0.0.1:30000")
        {
            OwnerJob = JobId.Parse("calc-1a2b3c4d"),
            OwnerFence = new Fence(77),
            Metadata = new Dictionary<string, string>(StringComparer.Ordinal) { ["a"] = "b" },
            RegisteredAt = s_noon,
        };

        var registered = endpoint with { OwnerJob = null, OwnerFence = default, OwnerRegistration = RegistrationId.Parse("reg-1") };

        Assert.Equivalent(endpoint, endpoint.ToWire().ToDomain(), strict: true);
        Assert.Equivalent(registered, registered.ToWire().ToDomain(), strict: true);
    }

    private static void AssertSame<TDomain, TWire>()
        where TDomain : struct, Enum
        where TWire : struct, Enum =>
        Assert.Equal(
            Enum.GetValues<TDomain>().Select(value => $"{Convert.ToInt32(value)} {value}"),
            Enum.GetValues<TWire>().Where(value => Convert.ToInt32(value) != 0).Select(value => $"{Convert.ToInt32(value)} {value}"));
}
