using System.Net;
using System.Net.Sockets;
using Fluster.Worker;

namespace Fluster.Tests;

/// <summary>Ports: distinct, free, outside of what the kernel gives away, and shared fairly by the workers of a host.</summary>
public sealed class PortPoolTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Take_TwoWorkers_NeverHaveTheSame()
    {
        var range = new PortRange(21000, 21099);
        var (first, second) = (Pool(range), Pool(range));

        using var one = first.Take([.. Enumerable.Range(0, 20).Select(i => $"a{i}")]);
        using var two = second.Take([.. Enumerable.Range(0, 20).Select(i => $"b{i}")]);

        Assert.Equal(40, one.Ports.Values.Concat(two.Ports.Values).Distinct().Count());
        Assert.All(one.Ports.Values.Concat(two.Ports.Values), port => Assert.True(range.Contains(port)));
    }

    [Fact]
    public void Take_PortInUse_IsSkipped()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var used = ((IPEndPoint)listener.LocalEndpoint).Port;

        Assert.Throws<PortsExhaustedException>(() => Pool(new PortRange(used, used)).Take(["a"]));
        listener.Stop();
        using var lease = Pool(new PortRange(used, used)).Take(["a"]);
        Assert.Equal(used, lease.Ports["a"]);
    }

    [Fact]
    public void Take_KernelsOwnRange_IsSkipped()
    {
        var pool = Pool(new PortRange(21100, 21104), new PortRange(21101, 30000));

        using var lease = pool.Take(["a"]);
        Assert.Equal(21100, lease.Ports["a"]);
        var exception = Assert.Throws<PortsExhaustedException>(() => pool.Take(["b"]));
        Assert.Equal("No port is free in 21100-21104 without 21101-30000, which the kernel gives to outgoing connections.", exception.Message);
    }

    [Fact]
    public void Take_MoreThanThereAre_GivesBackWhatItHad()
    {
        var pool = Pool(new PortRange(21110, 21112));

        Assert.Throws<PortsExhaustedException>(() => pool.Take(["a", "b", "c", "d"]));
        using var lease = pool.Take(["a", "b", "c"]);
        Assert.Equal(3, lease.Ports.Values.Distinct().Count());
    }

    [Fact]
    public void Dispose_PortsAreFreeAgain()
    {
        var pool = Pool(new PortRange(21120, 21120));
        for (var i = 0; i < 3; i++)
        {
            using var lease = pool.Take(["a"]);
            Assert.Equal(21120, lease.Ports["a"]);
        }
    }

    [Theory]
    [InlineData("30000-40000", 30000, 40000)]
    [InlineData("1-65535", 1, 65535)]
    [InlineData("80-80", 80, 80)]
    public void Parse_Range(string text, int first, int last) => Assert.Equal(new PortRange(first, last), PortRange.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("80")]
    [InlineData("0-80")]
    [InlineData("90-80")]
    [InlineData("80-65536")]
    [InlineData("-80")]
    [InlineData("a-b")]
    public void Parse_SomethingElse_SaysHow(string text) =>
        Assert.Contains($"'{text}' is not a range of ports", Assert.Throws<FormatException>(() => PortRange.Parse(text)).Message, StringComparison.Ordinal);

    private PortPool Pool(PortRange range, PortRange? ephemeral = null) => new(range, ephemeral, _directory.File("locks"));
}
