using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Fluster.Cluster;

/// <summary>
/// Writes an object as all its fields, private ones too, and reads it back without running a constructor, so that nothing of its
/// state is lost whatever properties it shows. Fields of properties have the property's name.
/// </summary>
internal sealed class FieldsConverter : JsonConverterFactory
{
    public override bool CanConvert(Type typeToConvert) => Nullable.GetUnderlyingType(typeToConvert) is null && ValueShape.Of(typeToConvert).Kind == TravelKind.Fields;

    public override JsonConverter CreateConverter(Type typeToConvert, JsonSerializerOptions options) =>
        (JsonConverter)Activator.CreateInstance(typeof(OfType<>).MakeGenericType(typeToConvert))!;

    /// <summary>The fields that travel, with their names in JSON: those of base types first.</summary>
    public static IReadOnlyList<(string Name, FieldInfo Field)> FieldsOf(Type type)
    {
        var fields = new List<(string Name, FieldInfo Field)>();
        for (var owner = type; owner is not null && owner != typeof(object) && owner != typeof(ValueType); owner = owner.BaseType)
        {
            var own = owner.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
                .Where(field => !IsIgnored(field, owner))
                .Select(field => (NameOf(field, owner), field));
            fields.InsertRange(0, own);
        }

        // A private field may have the name of one of a base type.
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (var index = fields.Count - 1; index >= 0; index--)
        {
            if (!names.Add(fields[index].Name))
            {
                fields[index] = ($"{TypeNames.Of(fields[index].Field.DeclaringType!)}.{fields[index].Name}", fields[index].Field);
            }
        }

        return fields;
    }

    private static bool IsIgnored(FieldInfo field, Type owner) =>
#pragma warning disable SYSLIB0050 // The attribute still says what its author meant: this field is not part of the state.
        field.IsNotSerialized ||
#pragma warning restore SYSLIB0050
        (field.GetCustomAttribute<JsonIgnoreAttribute>() ?? PropertyOf(field, owner)?.GetCustomAttribute<JsonIgnoreAttribute>()) is { Condition: JsonIgnoreCondition.Always };

    private static string NameOf(FieldInfo field, Type owner) =>
        (field.GetCustomAttribute<JsonPropertyNameAttribute>() ?? PropertyOf(field, owner)?.GetCustomAttribute<JsonPropertyNameAttribute>())?.Name ?? WrittenName(field.Name);

    private static PropertyInfo? PropertyOf(FieldInfo field, Type owner) => WrittenName(field.Name) is var name && name != field.Name
        ? owner.GetProperty(name, BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
        : null;

    // "<Name>k__BackingField", "<name>P" of a primary constructor, "<Name>i__Field" of an anonymous type.
    private static string WrittenName(string name) => name.StartsWith('<') && name.IndexOf('>', StringComparison.Ordinal) is var end and > 1 ? name[1..end] : name;

    private sealed class OfType<T> : JsonConverter<T>
    {
        private readonly IReadOnlyList<(string Name, FieldInfo Field)> _fields = FieldsOf(typeof(T));

        public override T? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                throw new JsonException($"A {TypeNames.Of(typeToConvert)} is written as an object.");
            }

            var value = RuntimeHelpers.GetUninitializedObject(typeToConvert);
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var field = FieldNamed(ref reader);
                reader.Read();
                if (field is null)
                {
                    reader.Skip();
                }
                else
                {
                    field.SetValue(value, PayloadJson.Read(ref reader, field.FieldType));
                }
            }

            return (T)value;
        }

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options)
        {
            writer.WriteStartObject();
            foreach (var (name, field) in _fields)
            {
                writer.WritePropertyName(name);
                PayloadJson.Write(writer, field.GetValue(value), field.FieldType);
            }

            writer.WriteEndObject();
        }

        private FieldInfo? FieldNamed(ref Utf8JsonReader reader)
        {
            foreach (var (name, field) in _fields)
            {
                if (reader.ValueTextEquals(name))
                {
                    return field;
                }
            }

            return null;
        }
    }
}
