namespace Fluster.Actors.Generator;

/// <summary>Writes the class that runs the methods of an actor.</summary>
internal static class DispatcherWriter
{
    public static string Write(ActorModel actor)
    {
        var members = new MemberWriter(actor);
        var code = new CodeWriter();
        code.Line(MemberWriter.Mark).Open($"internal sealed class {actor.Name} : {CodeWriter.Actors}ActorDispatcher");
        code.Open($"private static readonly {CodeWriter.Actors}ActorMethodShape[] s_methods = new {CodeWriter.Actors}ActorMethodShape[]");
        foreach (var method in actor.Methods)
        {
            code.Line($"{MemberWriter.Shape(method)},");
        }

        code.Close("};");
        members.WriteCodecs(code);
        code.Line("").Line($"public override global::System.Collections.Generic.IReadOnlyList<{CodeWriter.Actors}ActorMethodShape> Methods => s_methods;").Line("");
        code.Open($"public override global::System.Threading.Tasks.ValueTask InvokeAsync(int method, object actor, {CodeWriter.Actors}ActorServerCall call)");
        code.Open("switch (method)");
        for (var i = 0; i < actor.Methods.Count; i++)
        {
            code.Open($"case {i}:");
            WriteMethod(code, actor.Methods[i], members);
            code.Close();
        }

        code.Line("default: throw new global::System.ArgumentOutOfRangeException(nameof(method));").Close().Close();
        return code.ToString();
    }

    private static void WriteMethod(CodeWriter code, MethodModel method, MemberWriter members)
    {
        // Read in their order, also those with default values; only then is it asked whether there is time left.
        var values = new List<string>();
        if (method.Parameters.Any(parameter => !parameter.IsToken))
        {
            code.Line("var arguments = call.Arguments;");
        }

        foreach (var parameter in method.Parameters)
        {
            if (parameter.IsToken)
            {
                values.Add("call.CancellationToken");
                continue;
            }

            var name = $"value{values.Count}";
            var codec = members.Codec(parameter.Plain);
            code.Line($"var {name} = {(parameter.Default is { } value ? $"arguments.ReadOr({codec}, {value})" : $"arguments.Read({codec})")};");
            values.Add(name);
        }

        code.Line("call.ThrowIfExpired();");
        var run = $"(({method.Owner})actor).@{method.Name}({string.Join(", ", values)})";
        var codecOfValue = method.Value.Length > 0 ? members.Codec(method.Value) : "";
        switch (method.Return)
        {
            case ReturnKind.Nothing:
                code.Line($"{run};").Line("return call.Return();");
                break;
            case ReturnKind.Task or ReturnKind.ValueTask:
                code.Line($"return call.ReturnAsync({run});");
                break;
            case ReturnKind.Value:
                code.Line($"return call.Return({run}, {codecOfValue});");
                break;
            case ReturnKind.Stream:
                code.Line($"return call.ReturnStreamAsync({run}, {codecOfValue});");
                break;
            default:
                code.Line($"return call.ReturnAsync({run}, {codecOfValue});");
                break;
        }
    }
}
