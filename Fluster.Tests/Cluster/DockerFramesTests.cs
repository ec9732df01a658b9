using System.Text;
using Fluster.Cluster;
using FsCheck;
using FsCheck.Fluent;

namespace Fluster.Tests;

/// <summary>The two streams of a container, out of one.</summary>
public class DockerFramesTests
{
    [Fact]
    public void Append_FramesCutAnywhere_GiveTheSameStreams()
    {
        byte[] sent = [.. Frame(1, "out one\n"), .. Frame(2, "error\n"), .. Frame(1, ""), .. Frame(1, "out two\n")];
        Prop.ForAll(Gen.Choose(1, sent.Length).ArrayOf().ToArbitrary(), cuts =>
        {
            var frames = new DockerFrames();
            var (output, errors) = (new StringBuilder(), new StringBuilder());
            var at = 0;
            foreach (var cut in cuts.Append(sent.Length).Order())
            {
                foreach (var piece in frames.Append(sent.AsMemory(at, cut - at)))
                {
                    (piece.Stream == DockerStream.Stdout ? output : errors).Append(Encoding.UTF8.GetString(piece.Data.Span));
                }

                at = cut;
            }

            return output.ToString() == "out one\nout two\n" && errors.ToString() == "error\n";
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Append_WhatIsNoFrame_IsRefused()
    {
        var frames = new DockerFrames();

        Assert.Throws<FormatException>(() => frames.Append(Encoding.UTF8.GetBytes("plain text of a terminal\n")));
    }

    private static byte[] Frame(byte stream, string text) => [stream, 0, 0, 0, 0, 0, 0, (byte)text.Length, .. Encoding.UTF8.GetBytes(text)];
}
