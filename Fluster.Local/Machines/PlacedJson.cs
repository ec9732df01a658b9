using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Fluster.Local;

/// <summary>A value of a JSON file, and the line on which it begins.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Line">From 1.</param>
/// <param name="Text">Of text, what it says; of numbers and the like, as it is written; of others, what stands for it in messages.</param>
internal sealed record PlacedValue(JsonValueKind Kind, int Line, string Text)
{
    /// <summary>Of an object, in the order of the file.</summary>
    public IReadOnlyList<PlacedMember> Members { get; init; } = [];

    /// <summary>Of an array.</summary>
    public IReadOnlyList<PlacedValue> Items { get; init; } = [];

    /// <summary>As it stands in the file, for messages.</summary>
    public string Shown => Kind == JsonValueKind.String ? $"\"{Text}\"" : Text;
}

/// <summary>A name in an object, with its value.</summary>
internal sealed record PlacedMember(string Name, int Line, PlacedValue Value);

/// <summary>Reads JSON with the lines of everything, so that what is wrong with a setting is said where it stands. Comments and commas at the end are fine, as in other files of settings.</summary>
internal static class PlacedJson
{
    private static readonly JsonReaderOptions s_options = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, MaxDepth = 16 };

    /// <exception cref="JsonException">It is not JSON; the line in it counts from 0.</exception>
    public static PlacedValue Read(ReadOnlySpan<byte> utf8)
    {
        var walk = new Walk(utf8.StartsWith(Encoding.UTF8.Preamble) ? utf8[Encoding.UTF8.Preamble.Length..] : utf8);
        return walk.Document();
    }

    private ref struct Walk(ReadOnlySpan<byte> utf8)
    {
        private readonly ReadOnlySpan<byte> _utf8 = utf8;
        private Utf8JsonReader _reader = new(utf8, s_options);
        private int _counted;
        private int _line = 1;

        public PlacedValue Document()
        {
            _reader.Read();
            var value = Value();
            _reader.Read(); // what comes after it is an error
            return value;
        }

        private PlacedValue Value()
        {
            var line = Line();
            return _reader.TokenType switch
            {
                JsonTokenType.StartObject => new PlacedValue(JsonValueKind.Object, line, "{…}") { Members = Members() },
                JsonTokenType.StartArray => new PlacedValue(JsonValueKind.Array, line, "[…]") { Items = Items() },
                JsonTokenType.String => new PlacedValue(JsonValueKind.String, line, _reader.GetString()!),
                JsonTokenType.Number => new PlacedValue(JsonValueKind.Number, line, Encoding.UTF8.GetString(_reader.ValueSpan)),
                JsonTokenType.True => new PlacedValue(JsonValueKind.True, line, "true"),
                JsonTokenType.False => new PlacedValue(JsonValueKind.False, line, "false"),
                _ => new PlacedValue(JsonValueKind.Null, line, "null"),
            };
        }

        private List<PlacedMember> Members()
        {
            var members = new List<PlacedMember>();
            while (_reader.Read() && _reader.TokenType == JsonTokenType.PropertyName)
            {
                var (name, line) = (_reader.GetString()!, Line());
                _reader.Read();
                members.Add(new PlacedMember(name, line, Value()));
            }

            return members;
        }

        private List<PlacedValue> Items()
        {
            var items = new List<PlacedValue>();
            while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
            {
                items.Add(Value());
            }

            return items;
        }

        private int Line()
        {
            var at = (int)_reader.TokenStartIndex;
            _line += _utf8[_counted..at].Count((byte)'\n');
            _counted = at;
            return _line;
        }
    }
}

/// <summary>What a setting has to be.</summary>
internal enum SettingKind
{
    Text,
    Whole,
    Number,
    Flag,
    Duration,
    Texts,
    Labels,
}

/// <summary>The settings that there are in one place of a file, and what they have to be. Names in any case, as in the controller's configuration.</summary>
internal static class SettingTable
{
    /// <summary>The settings of a class of options, by its properties.</summary>
    public static Dictionary<string, SettingKind> Of(Type options) => options.GetProperties()
        .Where(property => property.SetMethod is not null)
        .ToDictionary(property => property.Name, property => KindOf(Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType), StringComparer.OrdinalIgnoreCase);

    /// <summary>A setting by its path, as configuration has them: <c>Zones:0</c>. Its line goes with it.</summary>
    /// <param name="member">The setting.</param>
    /// <param name="kind">What it has to be.</param>
    /// <param name="found">Takes a path, a value and its line.</param>
    /// <returns>What is wrong with it; null: nothing.</returns>
    public static (int Line, string Text)? Flatten(PlacedMember member, SettingKind kind, Action<string, string, int> found)
    {
        var value = member.Value;
        switch (kind)
        {
            case SettingKind.Texts when value.Kind == JsonValueKind.Array:
                foreach (var (index, item) in value.Items.Index())
                {
                    if (item.Kind != JsonValueKind.String)
                    {
                        return (item.Line, $"{member.Name} has {item.Shown} in it: it is a list of texts, such as [\"a\", \"b\"].");
                    }

                    found($"{member.Name}:{index.ToString(CultureInfo.InvariantCulture)}", item.Text, item.Line);
                }

                return null;
            case SettingKind.Labels when value.Kind == JsonValueKind.Object:
                foreach (var item in value.Members)
                {
                    if (item.Value.Kind != JsonValueKind.String)
                    {
                        return (item.Line, $"{member.Name}: {item.Name} is {item.Value.Shown}: labels are texts.");
                    }

                    found($"{member.Name}:{item.Name}", item.Value.Text, item.Line);
                }

                return null;
            case var _ when IsOf(value, kind):
                found(member.Name, value.Text, value.Line);
                return null;
            default:
                return (value.Line, $"{member.Name} is {value.Shown}: it is {Expected(kind)}.");
        }
    }

    private static bool IsOf(PlacedValue value, SettingKind kind) => kind switch
    {
        SettingKind.Text => value.Kind == JsonValueKind.String,
        SettingKind.Whole => value.Kind == JsonValueKind.Number && int.TryParse(value.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _),
        SettingKind.Number => value.Kind == JsonValueKind.Number && double.TryParse(value.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out _),
        SettingKind.Flag => value.Kind is JsonValueKind.True or JsonValueKind.False,
        SettingKind.Duration => value.Kind == JsonValueKind.String && TimeSpan.TryParse(value.Text, CultureInfo.InvariantCulture, out _),
        _ => false,
    };

    private static string Expected(SettingKind kind) => kind switch
    {
        SettingKind.Text => "a text, in quotes",
        SettingKind.Whole => "a whole number, without quotes",
        SettingKind.Number => "a number, without quotes",
        SettingKind.Flag => "true or false, without quotes",
        SettingKind.Duration => "a time as hours, minutes and seconds, such as \"00:05:00\"",
        SettingKind.Texts => "a list of texts, such as [\"a\", \"b\"]",
        _ => "an object of texts, such as { \"team\": \"blue\" }",
    };

    private static SettingKind KindOf(Type type) => type switch
    {
        _ when type == typeof(int) => SettingKind.Whole,
        _ when type == typeof(double) => SettingKind.Number,
        _ when type == typeof(bool) => SettingKind.Flag,
        _ when type == typeof(TimeSpan) => SettingKind.Duration,
        _ when type == typeof(IList<string>) => SettingKind.Texts,
        _ when type == typeof(IDictionary<string, string>) => SettingKind.Labels,
        _ => SettingKind.Text,
    };
}
