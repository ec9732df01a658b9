using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Text;
using System.Text.Json.Serialization.Metadata;
using Google.Protobuf;

namespace Fluster.Actors;

/// <summary>How values of one type travel. For generated code.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class ActorCodec<T>
{
    private protected ActorCodec()
    {
    }

    /// <param name="writer">Where to.</param>
    /// <param name="value">The value.</param>
    /// <param name="copy">Whether the value may change before it is sent.</param>
    internal abstract void Write(PayloadWriter writer, T value, bool copy);

    internal abstract T Read(ref ActorArguments reader);
}

/// <summary>Finds the way in which a type travels. For generated code.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class ActorCodec
{
    /// <summary>Arrays of numbers and protobuf messages as their bytes, everything else as JSON by its static type.</summary>
    public static ActorCodec<T> For<T>() => Cache<T>.Instance;

    private static class Cache<T>
    {
        public static readonly ActorCodec<T> Instance = Create();

        private static ActorCodec<T> Create()
        {
            if (typeof(T) == typeof(ReadOnlyMemory<byte>))
            {
                return (ActorCodec<T>)(object)new OfReadOnlyMemory();
            }

            if (typeof(T) == typeof(Memory<byte>))
            {
                return (ActorCodec<T>)(object)new OfMemory();
            }

            if (typeof(T).IsSZArray && RawArrays.KindOf(typeof(T).GetElementType()!) is { } kind)
            {
                return CreateOfArray(kind);
            }

            return typeof(T).IsAssignableTo(typeof(IMessage)) && typeof(T).GetProperty("Parser", BindingFlags.Public | BindingFlags.Static)?.GetValue(null) is MessageParser parser
                ? new OfMessage<T>(parser)
                : new OfJson<T>();
        }

        private static ActorCodec<T> CreateOfArray(RawKind kind)
        {
            object codec = kind switch
            {
                RawKind.Byte => new OfArray<byte>(kind),
                RawKind.SByte => new OfArray<sbyte>(kind),
                RawKind.Int16 => new OfArray<short>(kind),
                RawKind.UInt16 => new OfArray<ushort>(kind),
                RawKind.Int32 => new OfArray<int>(kind),
                RawKind.UInt32 => new OfArray<uint>(kind),
                RawKind.Int64 => new OfArray<long>(kind),
                RawKind.UInt64 => new OfArray<ulong>(kind),
                RawKind.Half => new OfArray<Half>(kind),
                RawKind.Single => new OfArray<float>(kind),
                RawKind.Double => new OfArray<double>(kind),
                _ => new OfArray<char>(kind),
            };
            return (ActorCodec<T>)codec;
        }
    }

    private sealed class OfJson<T> : ActorCodec<T>
    {
        // Asked for at the first use: a type that cannot travel is an error of the call, not of making a client.
        private JsonTypeInfo<T>? _type;

        private JsonTypeInfo<T> Type => _type ??= (JsonTypeInfo<T>)ActorJson.Options.GetTypeInfo(typeof(T));

        internal override void Write(PayloadWriter writer, T value, bool copy) => writer.WriteJson(value, Type);

        internal override T Read(ref ActorArguments reader) =>
            reader.TryReadRaw(out var raw) ? throw new RawMismatchException($"it was sent as {RawArrays.Display(raw.Kind)}") : reader.ReadJson(Type);
    }

    private sealed class OfArray<TElement>(RawKind kind) : ActorCodec<TElement[]>
        where TElement : unmanaged
    {
        private static readonly OfJson<TElement[]> s_json = new();

        internal override void Write(PayloadWriter writer, TElement[] value, bool copy)
        {
            if (value is null || !writer.AllowsRaw)
            {
                s_json.Write(writer, value!, copy);
                return;
            }

            writer.WriteRaw(kind, RawArrays.Cast(value), copy);
        }

        internal override TElement[] Read(ref ActorArguments reader) =>
            !reader.TryReadRaw(out var raw) ? s_json.Read(ref reader)
            : raw.Values as TElement[] is { } values && raw.Kind == kind ? values
            : throw new RawMismatchException($"it was sent as {RawArrays.Display(raw.Kind)}");
    }

    private sealed class OfReadOnlyMemory : ActorCodec<ReadOnlyMemory<byte>>
    {
        private static readonly OfJson<ReadOnlyMemory<byte>> s_json = new();

        internal override void Write(PayloadWriter writer, ReadOnlyMemory<byte> value, bool copy)
        {
            if (writer.AllowsRaw)
            {
                writer.WriteRaw(RawKind.Byte, value, copy);
            }
            else
            {
                s_json.Write(writer, value, copy);
            }
        }

        internal override ReadOnlyMemory<byte> Read(ref ActorArguments reader) => For<byte[]>().Read(ref reader);
    }

    private sealed class OfMemory : ActorCodec<Memory<byte>>
    {
        internal override void Write(PayloadWriter writer, Memory<byte> value, bool copy) => For<ReadOnlyMemory<byte>>().Write(writer, value, copy);

        internal override Memory<byte> Read(ref ActorArguments reader) => For<byte[]>().Read(ref reader);
    }

    private sealed class OfMessage<T>(MessageParser parser) : ActorCodec<T>
    {
        internal override void Write(PayloadWriter writer, [MaybeNull] T value, bool copy)
        {
            if (value is not IMessage message)
            {
                writer.WriteJson("null"u8);
            }
            else if (writer.AllowsRaw)
            {
                writer.WriteRaw(RawKind.Protobuf, message.ToByteArray());
            }
            else
            {
                writer.WriteJson(Encoding.UTF8.GetBytes(JsonFormatter.Default.Format(message)));
            }
        }

        internal override T Read(ref ActorArguments reader)
        {
            if (reader.TryReadRaw(out var raw))
            {
                return raw.Kind == RawKind.Protobuf
                    ? (T)parser.ParseFrom((byte[])raw.Values)
                    : throw new RawMismatchException($"it was sent as {RawArrays.Display(raw.Kind)}");
            }

            // From a caller that writes JSON: protobuf's own mapping.
            var json = reader.ReadJson((JsonTypeInfo<System.Text.Json.JsonElement>)ActorJson.Options.GetTypeInfo(typeof(System.Text.Json.JsonElement)));
            return json.ValueKind == System.Text.Json.JsonValueKind.Null ? default! : (T)parser.ParseJson(json.GetRawText());
        }
    }
}
