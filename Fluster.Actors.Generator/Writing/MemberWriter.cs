namespace Fluster.Actors.Generator;

/// <summary>What proxies and dispatchers have alike: the shapes of the methods, and one codec for each type.</summary>
internal sealed class MemberWriter(ActorModel actor)
{
    public const string Mark = "[global::System.CodeDom.Compiler.GeneratedCode(\"Fluster.Actors.Generator\", \"0.1\")]";

    private readonly List<string> _types = [.. actor.Methods
        .SelectMany(method => method.Parameters.Where(parameter => !parameter.IsToken).Select(parameter => parameter.Plain).Append(method.Value))
        .Where(type => type.Length > 0)
        .Distinct(StringComparer.Ordinal)];

    /// <summary>The codec of a type.</summary>
    public string Codec(string type) => $"s_codec{_types.IndexOf(type)}";

    public void WriteCodecs(CodeWriter code)
    {
        foreach (var type in _types)
        {
            code.Line($"private static readonly {CodeWriter.Actors}ActorCodec<{type}> {Codec(type)} = {CodeWriter.Actors}ActorCodec.For<{type}>();");
        }
    }

    /// <summary>The shape of a method as an expression.</summary>
    public static string Shape(MethodModel method)
    {
        var names = method.Parameters.Where(parameter => !parameter.IsToken).Select(parameter => ", " + CodeWriter.Literal(parameter.Name));
        var shape = $"new {CodeWriter.Actors}ActorMethodShape({CodeWriter.Literal(method.Name)}{string.Concat(names)}) {{ Required = {method.Required}, Signature = {CodeWriter.Literal(method.Signature)}";
        return shape
            + (method.IsIdempotent ? ", IsIdempotent = true" : "")
            + (method.Return == ReturnKind.Stream ? ", IsStream = true" : "")
            + (method.Documentation.Length > 0 ? $", Documentation = {CodeWriter.Literal(method.Documentation)}" : "")
            + " }";
    }
}
