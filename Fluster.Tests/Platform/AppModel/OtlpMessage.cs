using Google.Protobuf;

namespace Fluster.Tests;

/// <summary>Writes a message of OpenTelemetry's protocol by its field numbers.</summary>
internal sealed class OtlpMessage
{
    private byte[] _bytes = [];

    public static byte[] Id(char digit, int bytes) => Convert.FromHexString(new string(digit, bytes * 2));

    public OtlpMessage Add(int field, string text) => Write(field, WireFormat.WireType.LengthDelimited, output => output.WriteString(text));

    public OtlpMessage Add(int field, byte[] bytes) => Write(field, WireFormat.WireType.LengthDelimited, output => output.WriteBytes(ByteString.CopyFrom(bytes)));

    public OtlpMessage Add(int field, OtlpMessage message) => Add(field, message._bytes);

    public OtlpMessage AddNumber(int field, ulong value) => Write(field, WireFormat.WireType.Varint, output => output.WriteUInt64(value));

    public OtlpMessage AddFixed(int field, ulong value) => Write(field, WireFormat.WireType.Fixed64, output => output.WriteFixed64(value));

    public OtlpMessage AddDouble(int field, double value) => Write(field, WireFormat.WireType.Fixed64, output => output.WriteDouble(value));

    public OtlpMessage AddAttribute(int field, string key, OtlpMessage value) => Add(field, new OtlpMessage().Add(1, key).Add(2, value));

    public OtlpMessage AddAttribute(int field, string key, string value) => AddAttribute(field, key, new OtlpMessage().Add(1, value));

    /// <summary>A request with one item of a service.</summary>
    public byte[] InRequest(string service, string scope) => new OtlpMessage()
        .Add(1, new OtlpMessage()
            .Add(2, new OtlpMessage().Add(2, this).Add(1, new OtlpMessage().Add(1, scope)))
            .Add(1, new OtlpMessage().AddAttribute(1, "service.name", service).AddAttribute(1, "service.instance.id", "abc")))
        ._bytes;

    private OtlpMessage Write(int field, WireFormat.WireType type, Action<CodedOutputStream> write)
    {
        using var bytes = new MemoryStream();
        using (var output = new CodedOutputStream(bytes, leaveOpen: true))
        {
            output.WriteTag(field, type);
            write(output);
        }

        _bytes = [.. _bytes, .. bytes.ToArray()];
        return this;
    }
}
