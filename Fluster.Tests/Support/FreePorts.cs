using System.Net;
using System.Net.Sockets;

namespace Fluster.Tests;

/// <summary>
/// Ports for servers that have to be told one. They lie below those that the system gives to connections, any of which could take the port
/// between the choice and the server's start.
/// </summary>
internal static class FreePorts
{
    private const int First = 25_100;
    private const int Count = 7_000;

    // Test processes that run side by side begin in different places.
    private static int s_last = Environment.ProcessId * 97 % Count;

    public static int Next()
    {
        for (var tries = 0; tries < Count; tries++)
        {
            var port = First + (int)((uint)Interlocked.Increment(ref s_last) % Count);
            if (IsFree(port))
            {
                return port;
            }
        }

        throw new InvalidOperationException($"No port from {First} on is free.");
    }

    private static bool IsFree(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
