using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Fluster.Controller;

/// <summary>How a field of a form is read.</summary>
internal enum FieldKind
{
    Text,
    Number,
    Truth,

    /// <summary>Anything else, as JSON.</summary>
    Json,
}

/// <param name="Name">In JSON.</param>
/// <param name="Number">Its number in the message.</param>
/// <param name="Kind">How it is read.</param>
/// <param name="Type">Its type, for people.</param>
internal sealed record CallableField(string Name, int Number, FieldKind Kind, string Type);

/// <summary>A method that a form can call: one request, one answer.</summary>
/// <param name="Path">Service and method, as in an address.</param>
/// <param name="Fields">Of its request, by number.</param>
internal sealed record CallableMethod(string Path, IReadOnlyList<CallableField> Fields)
{
    public string Service => Path[..Path.IndexOf('/', StringComparison.Ordinal)];

    public string Name => Path[(Path.IndexOf('/', StringComparison.Ordinal) + 1)..];

    /// <summary>The methods that descriptors have, without those of the machinery itself.</summary>
    /// <param name="files">Serialized descriptors of files, in any order; a file may come twice.</param>
    /// <param name="services">The services that are served.</param>
    /// <exception cref="FormatException">They describe nothing.</exception>
    public static IReadOnlyList<CallableMethod> Of(IEnumerable<ByteString> files, IReadOnlyCollection<string> services)
    {
        try
        {
            return [.. FileDescriptor.BuildFromByteStrings(Ordered(files))
                .SelectMany(file => file.Services)
                .Where(service => services.Contains(service.FullName))
                .OrderBy(service => service.FullName, StringComparer.Ordinal)
                .SelectMany(service => service.Methods)
                .Where(method => !method.IsClientStreaming && !method.IsServerStreaming)
                .Select(method => new CallableMethod($"{method.Service.FullName}/{method.Name}", [.. method.InputType.Fields.InFieldNumberOrder().Select(Field)]))];
        }
        catch (Exception exception) when (exception is InvalidProtocolBufferException or DescriptorValidationException or ArgumentException)
        {
            throw new FormatException($"The server describes itself in a way that cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>Each file once, after those that it imports.</summary>
    private static List<ByteString> Ordered(IEnumerable<ByteString> files)
    {
        var known = new Dictionary<string, (FileDescriptorProto Proto, ByteString Bytes)>(StringComparer.Ordinal);
        foreach (var bytes in files)
        {
            var proto = FileDescriptorProto.Parser.ParseFrom(bytes);
            known.TryAdd(proto.Name, (proto, bytes));
        }

        var ordered = new List<ByteString>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var name in known.Keys)
        {
            Visit(name);
        }

        return ordered;

        void Visit(string name)
        {
            if (seen.Add(name) && known.TryGetValue(name, out var file))
            {
                foreach (var import in file.Proto.Dependency)
                {
                    Visit(import);
                }

                ordered.Add(file.Bytes);
            }
        }
    }

    private static CallableField Field(FieldDescriptor field)
    {
        var kind = field.IsRepeated || field.IsMap ? FieldKind.Json : field.FieldType switch
        {
            FieldType.String or FieldType.Enum or FieldType.Bytes => FieldKind.Text,
            FieldType.Bool => FieldKind.Truth,
            FieldType.Message or FieldType.Group => FieldKind.Json,
            _ => FieldKind.Number,
        };
        var type = field.FieldType switch
        {
            FieldType.Message or FieldType.Group => field.IsMap ? "map" : field.MessageType.Name,
            FieldType.Enum => string.Join(" | ", field.EnumType.Values.Select(value => value.Name)),
            FieldType.Bytes => "bytes, in base64",
            _ => field.FieldType.ToString().ToLowerInvariant(),
        };
        return new CallableField(field.JsonName, field.FieldNumber, kind, field.IsRepeated && !field.IsMap ? $"list of {type}" : type);
    }
}
