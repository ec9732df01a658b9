using System.ComponentModel;
using System.Text.Json;

namespace Fluster.Actors;

/// <summary>Reads the values of a message one after the other. For generated code.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public ref struct ActorArguments
{
    private readonly Payload _payload;
    private readonly ActorMethodShape? _method;
    private Utf8JsonReader _json;
    private int _index;

    internal ActorArguments(Payload payload, ActorMethodShape method)
    {
        _payload = payload;
        _method = method;
        if (payload.JsonLength > 0)
        {
            _json = new Utf8JsonReader(payload.Json, s_options);
            Enter(method);
        }
    }

    internal ActorArguments(Payload payload)
    {
        _payload = payload;
        if (payload.JsonLength > 0)
        {
            _json = new Utf8JsonReader(payload.Json, s_options);
        }
    }

    private static readonly JsonReaderOptions s_options = new() { MaxDepth = ActorJson.MaxDepth };

    /// <summary>The next argument.</summary>
    public T Read<T>(ActorCodec<T> codec)
    {
        try
        {
            return codec.Read(ref this);
        }
        catch (Exception exception) when (exception is JsonException or NotSupportedException or RawMismatchException or FormatException or Google.Protobuf.InvalidProtocolBufferException)
        {
            throw Mismatch(typeof(T), exception);
        }
    }

    /// <summary>The next argument, or the parameter's default value when it was not sent.</summary>
    public T ReadOr<T>(ActorCodec<T> codec, T defaultValue)
    {
        if (_index >= 64 || (_payload.Absent & (1UL << _index)) == 0)
        {
            return Read(codec);
        }

        // By name, a null stands for what was left out; in a list there is nothing.
        _index++;
        if (_payload.JsonLength > 0)
        {
            _json.Read();
        }

        return defaultValue;
    }

    internal T ReadJson<T>(System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
    {
        NextJson();
        return JsonSerializer.Deserialize(ref _json, type)!;
    }

    /// <summary>The next value if it travelled raw. A place in the JSON is passed over.</summary>
    internal bool TryReadRaw(out ReceivedRaw raw)
    {
        if (!_payload.TryGetRaw(_index, out raw))
        {
            return false;
        }

        if (_payload.JsonLength > 0)
        {
            NextJson();
        }
        else
        {
            _index++;
        }

        return true;
    }

    private void Enter(ActorMethodShape method)
    {
        try
        {
            if (_json.Read() && _json.TokenType == JsonTokenType.StartArray)
            {
                return;
            }
        }
        catch (JsonException exception)
        {
            throw new ArgumentMismatchException($"The arguments of {method} are not JSON: {exception.Message}", exception);
        }

        throw new ArgumentMismatchException($"The arguments of {method} are not a JSON array.");
    }

    private void NextJson()
    {
        _index++;
        if (_payload.JsonLength == 0 || !_json.Read() || _json.TokenType == JsonTokenType.EndArray)
        {
            throw new JsonException("there is no value");
        }
    }

    private readonly ArgumentMismatchException Mismatch(Type type, Exception exception)
    {
        var position = Math.Max(_index, 1);
        var name = _method is not null && position <= _method.Parameters.Count ? _method.Parameters[position - 1] : "?";
        return new ArgumentMismatchException($"Argument {position} ('{name}') of {_method} is not a {type.Name}: {exception.Message}", exception);
    }
}

/// <summary>A value travelled as another kind of array than the method takes.</summary>
internal sealed class RawMismatchException(string message) : Exception(message);

/// <summary>The arguments of a call do not fit its method.</summary>
internal sealed class ArgumentMismatchException(string message, Exception? innerException = null) : Exception(message, innerException);
