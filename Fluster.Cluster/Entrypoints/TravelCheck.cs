using System.Collections;
using System.Collections.ObjectModel;
using System.Reflection;
using System.Text;
using System.Text.Json;

namespace Fluster.Cluster;

/// <summary>What about a value cannot travel.</summary>
/// <param name="Path">Where in the value: empty for the value itself, <c>.Source</c>, <c>[3].Name</c>.</param>
/// <param name="Type">The type of what is there.</param>
/// <param name="Reason">Why, and what to do instead, as the end of a sentence.</param>
internal sealed record TravelProblem(string Path, Type Type, string Reason)
{
    /// <summary>"The captured variable 'file' is a System.IO.FileStream, which cannot travel: …".</summary>
    /// <param name="what">What the value is: "captured variable", "argument".</param>
    /// <param name="name">Its name.</param>
    public string Describe(string what, string name) => Path.Length == 0
        ? $"The {what} '{name}' is a {TypeNames.Of(Type)}, which cannot travel: {Reason}."
        : $"The {what} '{name}' cannot travel: {name}{Path} is a {TypeNames.Of(Type)}; {Reason}.";
}

/// <summary>Walks through a value as it would be written, and finds what would be lost or refused on the way.</summary>
internal sealed class TravelCheck
{
    // Text that is not well-formed throws instead of becoming U+FFFD on the way.
    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly HashSet<object> _ancestors = new(ReferenceEqualityComparer.Instance);

    /// <summary>The first thing in the value that cannot travel; null when all of it can.</summary>
    public static TravelProblem? Find(object? value, Type declared) =>
        value is null || declared.IsPrimitive && declared != typeof(char) && declared != typeof(nint) && declared != typeof(nuint) ? null : new TravelCheck().Walk(value, declared, "");

    private TravelProblem? Walk(object? value, Type declared, string path)
    {
        if (value is null)
        {
            return null; // nothing is nothing, whatever it might have been
        }

        var (type, shape) = (value.GetType(), ValueShape.Of(declared));
        if (shape.Kind == TravelKind.Refused)
        {
            // What it really is says more than what it is declared as.
            return new TravelProblem(path, type, RefusedTypes.ReasonFor(type) ?? shape.Reason!);
        }

        if (IsLossy(type, declared, shape))
        {
            return new TravelProblem(path, type, $"it is declared as {TypeNames.Of(declared)}, and what {type.Name} adds would be lost; declare it as {type.Name}");
        }

        if (type.IsValueType || value is string)
        {
            return Visit(value, declared, shape, path);
        }

        if (!_ancestors.Add(value))
        {
            return new TravelProblem(path, type, "it contains itself");
        }

        var problem = _ancestors.Count > PayloadJson.MaxDepth / 2
            ? new TravelProblem(path, type, $"it is nested deeper than {PayloadJson.MaxDepth / 2} levels")
            : Visit(value, declared, shape, path);
        _ancestors.Remove(value);
        return problem;
    }

    private TravelProblem? Visit(object value, Type declared, ValueShape shape, string path) => shape.Kind switch
    {
        TravelKind.Scalar => IllFormed(value) ? new TravelProblem(path, value.GetType(), "it has half a surrogate pair, which is no character") : null,
        TravelKind.Sequence => ComparerProblem(value, path) ?? Elements((IEnumerable)value, shape, path),
        TravelKind.Map => ComparerProblem(value, path) ?? Entries((IEnumerable)value, shape, path),
        TravelKind.Fields => FieldsConverter.FieldsOf(declared)
            .Select(member => Walk(member.Field.GetValue(value), member.Field.FieldType, $"{path}.{member.Name}"))
            .FirstOrDefault(problem => problem is not null),
        _ => RoundTrip(value, declared, path),
    };

    private TravelProblem? Elements(IEnumerable elements, ValueShape shape, string path)
    {
        if (shape.Element!.IsPrimitive && shape.Element != typeof(char))
        {
            return null; // numbers, perhaps millions
        }

        if (elements.GetType() is { IsGenericType: true } type && (type.GetGenericTypeDefinition() == typeof(Memory<>) || type.GetGenericTypeDefinition() == typeof(ReadOnlyMemory<>)))
        {
            return null;
        }

        var index = 0;
        foreach (var element in elements)
        {
            if (Walk(element, shape.Element, $"{path}[{index++}]") is { } problem)
            {
                return problem;
            }
        }

        return null;
    }

    private TravelProblem? Entries(IEnumerable entries, ValueShape shape, string path)
    {
        foreach (var entry in entries)
        {
            var (key, value) = entry is DictionaryEntry old
                ? (old.Key, old.Value)
                : (entry.GetType().GetProperty("Key")!.GetValue(entry), entry.GetType().GetProperty("Value")!.GetValue(entry));
            if ((Walk(key, shape.Key!, $"{path}[{key}]") ?? Walk(value, shape.Element!, $"{path}[{key}]")) is { } problem)
            {
                return problem;
            }
        }

        return null;
    }

    // A collection that finds its elements in another way than the default would find other ones over there.
    private static TravelProblem? ComparerProblem(object collection, string path)
    {
        var type = collection.GetType();
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ReadOnlyDictionary<,>))
        {
            return ComparerProblem(type.GetProperty("Dictionary", BindingFlags.Instance | BindingFlags.NonPublic)!.GetValue(collection)!, path);
        }

        var comparer = (type.GetProperty("KeyComparer") ?? type.GetProperty("Comparer"))?.GetValue(collection);
        return comparer is null || IsDefault(comparer, type.GetGenericArguments()[0])
            ? null
            : new TravelProblem(path, type, "its comparer would be lost; send the elements, and make the collection in the job");
    }

    private static bool IsDefault(object comparer, Type key) =>
        comparer.Equals(StringComparer.Ordinal) && comparer is IEqualityComparer<string> && key == typeof(string)
        || comparer.Equals(typeof(EqualityComparer<>).MakeGenericType(key).GetProperty("Default")!.GetValue(null))
        || comparer.Equals(typeof(Comparer<>).MakeGenericType(key).GetProperty("Default")!.GetValue(null));

    private static bool IsLossy(Type type, Type declared, ValueShape shape)
    {
        declared = Nullable.GetUnderlyingType(declared) ?? declared;
        if (type == declared || shape.Kind is TravelKind.Scalar or TravelKind.OwnContract)
        {
            return false;
        }

        // Sequences become lists, whatever they were; sets and maps keep their meaning only as the usual kind.
        var definition = declared.IsGenericType ? declared.GetGenericTypeDefinition() : declared;
        var actual = type.IsGenericType ? type.GetGenericTypeDefinition() : type;
        return !definition.IsInterface
            || definition == typeof(ISet<>) && actual != typeof(HashSet<>)
            || shape.Kind == TravelKind.Map && actual != typeof(Dictionary<,>) && actual != typeof(ReadOnlyDictionary<,>);
    }

    private static bool IllFormed(object value)
    {
        if (value is char character)
        {
            return char.IsSurrogate(character);
        }

        try
        {
            return value is string text && s_strict.GetByteCount(text) < 0;
        }
        catch (EncoderFallbackException)
        {
            return true;
        }
    }

    // A type that writes itself as its attributes say may forget something. What is read back must be written the same.
    private static TravelProblem? RoundTrip(object value, Type declared, string path)
    {
        try
        {
            var written = PayloadJson.Write(value, declared);
            var reader = new Utf8JsonReader(written, new JsonReaderOptions { MaxDepth = PayloadJson.MaxDepth });
            reader.Read();
            var again = PayloadJson.Write(PayloadJson.Read(ref reader, declared), declared);
            return written.AsSpan().SequenceEqual(again)
                ? null
                : new TravelProblem(path, value.GetType(), $"its JSON attributes lose a part of it: {Excerpt(written)} is read back as {Excerpt(again)}");
        }
        catch (Exception exception) when (exception is JsonException or NotSupportedException or InvalidOperationException or ArgumentException)
        {
            return new TravelProblem(path, value.GetType(), $"its JSON attributes do not read back what they write: {exception.Message.TrimEnd('.')}");
        }
    }

    private static string Excerpt(byte[] json) => Encoding.UTF8.GetString(json.AsSpan(0, Math.Min(json.Length, 200)));
}
