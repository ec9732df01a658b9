using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Fluster.Worker;

/// <summary>Messages with open descriptors over a stream socket between two processes of one machine.</summary>
[SupportedOSPlatform("linux")]
internal static unsafe class FdChannel
{
    private const int SocketLevel = 1; // SOL_SOCKET
    private const int Rights = 1; // SCM_RIGHTS
    private const int NoSignal = 0x4000; // MSG_NOSIGNAL
    private const int CloseOnExec = 0x40000000; // MSG_CMSG_CLOEXEC
    private const int HeaderLength = 16; // struct cmsghdr

    /// <summary>Sends one message. The descriptors stay open here.</summary>
    /// <exception cref="IOException">Nobody is at the other end.</exception>
    public static void Send(int socket, ReadOnlySpan<byte> message, ReadOnlySpan<int> descriptors)
    {
        var controlLength = HeaderLength + (descriptors.Length * sizeof(int) + 7) / 8 * 8;
        var control = stackalloc byte[controlLength];
        new Span<byte>(control, controlLength).Clear();
        *(nuint*)control = (nuint)(HeaderLength + descriptors.Length * sizeof(int));
        ((int*)control)[2] = SocketLevel;
        ((int*)control)[3] = Rights;
        descriptors.CopyTo(new Span<int>(control + HeaderLength, descriptors.Length));

        // The descriptors ride on the length, which is sent in one piece.
        var length = message.Length;
        var vector = new Libc.IoVector { Start = &length, Length = sizeof(int) };
        var header = new Libc.MessageHeader { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = (nuint)controlLength };
        while (Libc.sendmsg(socket, &header, NoSignal) < 0)
        {
            ThrowUnlessInterrupted("sendmsg");
        }

        fixed (byte* start = message)
        {
            for (var sent = 0; sent < message.Length;)
            {
                vector = new Libc.IoVector { Start = start + sent, Length = (nuint)(message.Length - sent) };
                header = new Libc.MessageHeader { Vectors = &vector, VectorCount = 1 };
                var count = Libc.sendmsg(socket, &header, NoSignal);
                if (count < 0)
                {
                    ThrowUnlessInterrupted("sendmsg");
                    continue;
                }

                sent += (int)count;
            }
        }
    }

    /// <summary>Waits for a message; null when the other end is closed.</summary>
    public static byte[]? Receive(int socket, int[] descriptors)
    {
        var controlLength = HeaderLength + (descriptors.Length * sizeof(int) + 7) / 8 * 8;
        var control = stackalloc byte[controlLength];
        var length = 0;
        var vector = new Libc.IoVector { Start = &length, Length = sizeof(int) };
        var header = new Libc.MessageHeader { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = (nuint)controlLength };
        nint count;
        while ((count = Libc.recvmsg(socket, &header, CloseOnExec)) < 0)
        {
            if (Marshal.GetLastPInvokeError() != Libc.Eintr)
            {
                return null;
            }
        }

        if (count != sizeof(int) || header.ControlLength < HeaderLength)
        {
            return null;
        }

        new ReadOnlySpan<int>(control + HeaderLength, descriptors.Length).CopyTo(descriptors);
        var message = new byte[length];
        fixed (byte* start = message)
        {
            for (var received = 0; received < length;)
            {
                count = Libc.read(socket, start + received, length - received);
                if (count == 0 || count < 0 && Marshal.GetLastPInvokeError() != Libc.Eintr)
                {
                    return null;
                }

                received += (int)Math.Max(count, 0);
            }
        }

        return message;
    }

    private static void ThrowUnlessInterrupted(string call)
    {
        if (Marshal.GetLastPInvokeError() is var error && error != Libc.Eintr)
        {
            throw new IOException($"{call} failed: {Libc.Describe(error)}");
        }
    }
}
