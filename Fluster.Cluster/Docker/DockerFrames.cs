using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Fluster.Cluster;

/// <summary>Where a container wrote something.</summary>
internal enum DockerStream
{
    Stdout = 1,
    Stderr = 2,
}

/// <summary>A piece of one of a container's streams.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct DockerOutput(DockerStream Stream, ReadOnlyMemory<byte> Data);

/// <summary>
/// Takes the two streams of a container apart, which its engine sends in one: frames of a head (stream, three zeros, the length in four bytes,
/// highest first) and data. Frames may be cut anywhere by the connection.
/// </summary>
internal sealed class DockerFrames
{
    private const int HeadLength = 8;

    private readonly byte[] _head = new byte[HeadLength];
    private int _headLength;
    private uint _left; // of the present frame's data

    /// <summary>The next bytes of the connection.</summary>
    /// <returns>The pieces in them, in order, which are parts of <paramref name="bytes"/>.</returns>
    /// <exception cref="FormatException">These are no frames.</exception>
    public IReadOnlyList<DockerOutput> Append(ReadOnlyMemory<byte> bytes)
    {
        var pieces = new List<DockerOutput>();
        while (!bytes.IsEmpty)
        {
            if (_left == 0)
            {
                var taken = Math.Min(HeadLength - _headLength, bytes.Length);
                bytes.Span[..taken].CopyTo(_head.AsSpan(_headLength));
                bytes = bytes[taken..];
                _headLength += taken;
                if (_headLength < HeadLength)
                {
                    break;
                }

                if (_head[0] is not ((byte)DockerStream.Stdout or (byte)DockerStream.Stderr) || _head[1] != 0 || _head[2] != 0 || _head[3] != 0)
                {
                    throw new FormatException($"The Docker Engine sent a frame that begins with {Convert.ToHexString(_head)}.");
                }

                _left = BinaryPrimitives.ReadUInt32BigEndian(_head.AsSpan(4));
                _headLength = 0;
                continue;
            }

            var length = (int)Math.Min(_left, (uint)bytes.Length);
            pieces.Add(new DockerOutput((DockerStream)_head[0], bytes[..length]));
            bytes = bytes[length..];
            _left -= (uint)length;
        }

        return pieces;
    }
}
