namespace Fluster.GcpEmulator;

/// <summary>Runs machines, or does not.</summary>
internal interface IMachineRunner
{
    /// <summary>Whether it does.</summary>
    bool Runs { get; }

    /// <summary>Where machines ask about themselves, for <c>GCE_METADATA_HOST</c>: host, port and the beginning of the path.</summary>
    Func<EmulatedMachine, string> MetadataHost { get; set; }

    /// <summary>Runs the machine's start-up script, in a directory that survives until <see cref="Stop"/>. Returns at once.</summary>
    void Start(EmulatedMachine machine);

    /// <summary>Kills all that the machine runs and starts its script again, as a reboot does. Returns at once.</summary>
    void Restart(EmulatedMachine machine);

    /// <summary>Kills all that the machine runs and removes its directory. Returns at once.</summary>
    void Stop(EmulatedMachine machine);

    /// <summary>What it wrote to its console so far.</summary>
    string Console(EmulatedMachine machine);
}

/// <summary>Runs nothing.</summary>
internal sealed class NoRunner : IMachineRunner
{
    public bool Runs => false;

    public Func<EmulatedMachine, string> MetadataHost { get; set; } = _ => "";

    public void Start(EmulatedMachine machine)
    {
        // Machines are records only.
    }

    public void Restart(EmulatedMachine machine)
    {
        // The same.
    }

    public void Stop(EmulatedMachine machine)
    {
        // The same.
    }

    public string Console(EmulatedMachine machine) => "";
}
