namespace Fluster.Actors.Generator;

/// <summary>Writes the class that stands in for an interface.</summary>
internal static class ProxyWriter
{
    private const string Token = "global::System.Threading.CancellationToken";

    public static string Write(ActorModel proxy)
    {
        var members = new MemberWriter(proxy);
        var code = new CodeWriter();
        code.Line(MemberWriter.Mark).Open($"internal sealed class {proxy.Name} : {proxy.Type}");
        for (var i = 0; i < proxy.Methods.Count; i++)
        {
            code.Line($"private static readonly {CodeWriter.Actors}ActorMethodShape s_shape{i} = {MemberWriter.Shape(proxy.Methods[i])};");
        }

        members.WriteCodecs(code);
        code.Line($"private readonly {CodeWriter.Actors}ActorInvoker _invoker;").Line("");
        code.Line($"internal {proxy.Name}({CodeWriter.Actors}ActorInvoker invoker) => _invoker = invoker;");
        for (var i = 0; i < proxy.Methods.Count; i++)
        {
            code.Line("");
            WriteMethod(code, proxy.Methods[i], i, members);
        }

        return code.ToString();
    }

    private static void WriteMethod(CodeWriter code, MethodModel method, int number, MemberWriter members)
    {
        var parameters = string.Join(", ", method.Parameters.Select(parameter => $"{parameter.Type} @{parameter.Name}"));
        var token = method.Parameters.LastOrDefault(parameter => parameter.IsToken) is { } given ? $"@{given.Name}" : "default";
        var header = $"{method.ReturnType} {method.Owner}.@{method.Name}({parameters})";
        if (method.Return == ReturnKind.Stream)
        {
            WriteStream(code, method, number, members, header);
            return;
        }

        code.Open(header);
        WriteBegin(code, method, number, members);
        var send = method.Value.Length > 0 ? $"_invoker.SendAsync(__call, {members.Codec(method.Value)}, {token})" : $"_invoker.SendAsync(__call, {token})";
        code.Line(method.Return switch
        {
            ReturnKind.Nothing => $"{send}.GetAwaiter().GetResult();",
            ReturnKind.Value => $"return {send}.GetAwaiter().GetResult();",
            ReturnKind.ValueTask => $"return new global::System.Threading.Tasks.ValueTask({send});",
            ReturnKind.ValueTaskOfValue => $"return new global::System.Threading.Tasks.ValueTask<{method.Value}>({send});",
            _ => $"return {send};",
        });
        code.Close();
    }

    // An iterator, so that a stream that is read more than once is another call each time, as of then; its token is the method's and the reader's.
    private static void WriteStream(CodeWriter code, MethodModel method, int number, MemberWriter members, string header)
    {
        var names = method.Parameters.Select(parameter => $"@{parameter.Name}");
        code.Line($"{header} => Read{number}({string.Join(", ", names)});").Line("");

        var last = method.Parameters.LastOrDefault(parameter => parameter.IsToken);
        var parameters = method.Parameters.Select(parameter => $"{(ReferenceEquals(parameter, last) ? "[global::System.Runtime.CompilerServices.EnumeratorCancellation] " : "")}{parameter.Type} @{parameter.Name}");
        if (last is null)
        {
            parameters = parameters.Append($"[global::System.Runtime.CompilerServices.EnumeratorCancellation] {Token} __token = default");
        }

        code.Open($"private async {method.ReturnType} Read{number}({string.Join(", ", parameters)})");
        WriteBegin(code, method, number, members);
        var items = $"_invoker.StreamAsync(__call, {members.Codec(method.Value)}, {(last is null ? "__token" : $"@{last.Name}")})";
        code.Open($"await foreach (var __item in global::System.Threading.Tasks.TaskAsyncEnumerableExtensions.ConfigureAwait({items}, false))");
        code.Line("yield return __item;").Close().Close();
    }

    private static void WriteBegin(CodeWriter code, MethodModel method, int number, MemberWriter members)
    {
        code.Line($"var __call = _invoker.Begin(s_shape{number});");
        foreach (var parameter in method.Parameters.Where(parameter => !parameter.IsToken))
        {
            code.Line($"__call.Write(@{parameter.Name}, {members.Codec(parameter.Plain)});");
        }
    }
}
