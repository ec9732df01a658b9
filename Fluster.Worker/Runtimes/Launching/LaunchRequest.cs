using System.Runtime.InteropServices;
using System.Text;

namespace Fluster.Worker;

/// <summary>How the processes of an attempt are held together.</summary>
internal enum IsolationMode
{
    /// <summary>A control group of version 2.</summary>
    Cgroup2,

    /// <summary>A control group of the version 1 hierarchy "freezer".</summary>
    Cgroup1,

    /// <summary>A variable in the environment, and a starter process that inherits orphans.</summary>
    Marker,
}

/// <summary>A program for the launcher to start. Three descriptors travel with it: standard output, standard error, and one for news.</summary>
internal sealed record LaunchRequest
{
    public required IsolationMode Isolation { get; init; }

    /// <summary>The control group's directory; empty in marker mode.</summary>
    public required string CgroupDirectory { get; init; }

    /// <summary>The file to execute: a path, not searched for.</summary>
    public required string Program { get; init; }

    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>"NAME=value", and nothing else is inherited.</summary>
    public required IReadOnlyList<string> Environment { get; init; }

    public required string WorkingDirectory { get; init; }

    /// <summary>The user that the program runs as, in the group of the same number; 0: as the launcher.</summary>
    public uint User { get; init; }

    /// <summary>A second group of that user; 0: none.</summary>
    public uint Group { get; init; }

    public byte[] ToBytes()
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        writer.Write((byte)Isolation);
        writer.Write(CgroupDirectory);
        writer.Write(Program);
        Write(writer, Arguments);
        Write(writer, Environment);
        writer.Write(WorkingDirectory);
        writer.Write(User);
        writer.Write(Group);
        writer.Flush();
        return stream.ToArray();
    }

    public static LaunchRequest Read(byte[] bytes)
    {
        using var reader = new BinaryReader(new MemoryStream(bytes), Encoding.UTF8);
        return new LaunchRequest
        {
            Isolation = (IsolationMode)reader.ReadByte(),
            CgroupDirectory = reader.ReadString(),
            Program = reader.ReadString(),
            Arguments = ReadList(reader),
            Environment = ReadList(reader),
            WorkingDirectory = reader.ReadString(),
            User = reader.ReadUInt32(),
            Group = reader.ReadUInt32(),
        };
    }

    private static void Write(BinaryWriter writer, IReadOnlyList<string> items)
    {
        writer.Write(items.Count);
        foreach (var item in items)
        {
            writer.Write(item);
        }
    }

    private static string[] ReadList(BinaryReader reader)
    {
        var items = new string[reader.ReadInt32()];
        for (var i = 0; i < items.Length; i++)
        {
            items[i] = reader.ReadString();
        }

        return items;
    }
}

/// <summary>What the news descriptor of a launch carries. End of file: nobody is left who could send more.</summary>
internal enum LaunchNewsKind
{
    /// <summary>The program runs. First number: its process; second: its starter's process, 0 when it has none.</summary>
    Started = 1,

    /// <summary>It could not be started. First number: a <see cref="LaunchStage"/>; second: the error number.</summary>
    Failed = 2,

    /// <summary>The program has ended; others of its tree may be left. First number: the wait status.</summary>
    Exited = 3,

    /// <summary>From a starter, last: nothing of its tree is left.</summary>
    Emptied = 4,
}

/// <summary>How far a launch came before it failed.</summary>
internal enum LaunchStage
{
    Fork = 1,
    Boundary = 2,
    WorkingDirectory = 3,
    Execute = 4,
    User = 5,
}

/// <summary>One piece of news, as its twelve bytes.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct LaunchNews(LaunchNewsKind Kind, int First, int Second)
{
    public const int Size = 12;
}
