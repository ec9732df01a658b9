namespace Fluster.Worker;

/// <summary>The settings of a worker: section <c>Fluster:Worker</c>.</summary>
internal sealed class WorkerOptions
{
    /// <summary>The section that they are read from.</summary>
    public const string Section = "Fluster:Worker";

    /// <summary>The worker's name in the cluster. Default: the machine's name.</summary>
    public string Id { get; set; } = "";

    /// <summary>The token of role worker that the controller asks for.</summary>
    public string Token { get; set; } = "";

    /// <summary>Where the worker keeps what must survive it, and what jobs work on. Default: <c>fluster-worker</c> under the user's local data.</summary>
    public string DataDirectory { get; set; } = "";

    /// <summary>Where the controller is: a URL, or a name that service discovery knows. Default: <c>http://_grpc.controller</c>.</summary>
    public string ControllerAddress { get; set; } = "http://_grpc.controller";

    /// <summary>SHA-256 of the only certificate that is believed to be the controller's. Default: the one that the token names, else any that the machine trusts.</summary>
    public string CertificateHash { get; set; } = "";

    /// <summary>Cores that jobs may use. Default: all of the machine's.</summary>
    public double? Cpu { get; set; }

    /// <summary>Memory that jobs may use, for example <c>4g</c>. Default: nine tenths of the machine's.</summary>
    public string Memory { get; set; } = "";

    /// <summary>Disk that jobs may use, for example <c>20g</c>. Default: what is free in <see cref="DataDirectory"/>.</summary>
    public string Disk { get; set; } = "";

    /// <summary>Ports for jobs, both ends included (seed 003). Those in the kernel's ephemeral range are skipped.</summary>
    public string PortRange { get; set; } = "30000-40000";

    /// <summary>The most attempts at a time (seed 003). Default: 10.</summary>
    public int MaxConcurrentJobs { get; set; } = 10;

    /// <summary>The address that servers in jobs listen on. Default: 127.0.0.1.</summary>
    public string BindHost { get; set; } = "127.0.0.1";

    /// <summary>The address under which others reach servers in jobs. Default: <see cref="BindHost"/>.</summary>
    public string AdvertiseHost { get; set; } = "";

    /// <summary>GPUs that jobs may use, numbered from 0 as CUDA numbers them. Default: 0.</summary>
    public int Gpus { get; set; }

    /// <summary>Their model as jobs ask for it, for example <c>h100</c>. Needed with <see cref="Gpus"/>.</summary>
    public string GpuVariant { get; set; } = "";

    /// <summary>The TPU slice that this machine is part of, for example <c>v5litepod-16</c>. Default: none.</summary>
    public string TpuVariant { get; set; } = "";

    /// <summary>Whether the cloud can take the machine away at any moment: only jobs that allow it run here. Default: false.</summary>
    public bool Preemptible { get; set; }

    /// <summary>The region that jobs can ask for. Default: none.</summary>
    public string Region { get; set; } = "";

    /// <summary>How attempts are held together: <c>auto</c>, <c>cgroup2</c>, <c>cgroup1</c> or <c>marker</c>. Default: auto, the best that works here.</summary>
    public string Isolation { get; set; } = "auto";

    /// <summary>
    /// Whether every attempt runs as a user of its own: <c>true</c>, or the worker does not start; <c>false</c>: all run as the worker's user. Default: where
    /// the worker is root and it works; health says whether it does, and why not.
    /// </summary>
    public bool? IsolateAttempts { get; set; }

    /// <summary>The numbers of the users that attempts are given, both ends included. Default: 200000-209999; those that this machine gave to somebody else are skipped.</summary>
    public string UidRange { get; set; } = "200000-209999";

    /// <summary>
    /// How long the worker goes on without its controller before it ends its attempts and itself: for machines that a backend made and that nobody may be there to
    /// remove. Default: for ever.
    /// </summary>
    public TimeSpan? OrphanTimeout { get; set; }

    /// <summary>
    /// The metadata server of the machine, for example <c>metadata.google.internal</c>: it is asked whether the cloud is about to take the machine away, and then the attempts are told.
    /// Where it is the server of a real machine, attempts are kept from it (by iptables), unless their job asks for it. Default: none.
    /// </summary>
    public string MetadataHost { get; set; } = "";

    /// <summary>The socket of the Docker Engine that runs jobs which name an image. Default: <c>/var/run/docker.sock</c>.</summary>
    public string DockerSocket { get; set; } = DockerEngine.DefaultSocket;

    /// <summary>The program that runs .NET entrypoints. Default: the one that comes with the worker.</summary>
    public string JobHostPath { get; set; } = "";
}
