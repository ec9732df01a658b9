namespace Fluster.Actors.Generator;

/// <summary>Writes the descriptions of types for the JSON serializer.</summary>
internal static class TypesWriter
{
    public const string Name = "ActorTypes";

    private const string Metadata = "global::System.Text.Json.Serialization.Metadata.";
    private const string Services = Metadata + "JsonMetadataServices.";
    private const string Options = "global::System.Text.Json.JsonSerializerOptions options";
    private const string Accessor = "[global::System.Runtime.CompilerServices.UnsafeAccessor(global::System.Runtime.CompilerServices.UnsafeAccessorKind.";

    public static string Write(IReadOnlyList<JsonTypeModel> types)
    {
        var code = new CodeWriter();
        code.Line(MemberWriter.Mark).Open($"internal sealed class {Name} : {Metadata}IJsonTypeInfoResolver");
        code.Open($"public {Metadata}JsonTypeInfo? GetTypeInfo(global::System.Type type, {Options})");
        for (var i = 0; i < types.Count; i++)
        {
            code.Line($"if (type == typeof({types[i].Type})) return Describe{i}(options);");
        }

        // Made in this way it would be strict about numbers; made by reflection it is as the options say.
        code.Line("return null;").Close().Line("");
        code.Open($"private static {Metadata}JsonTypeInfo<T> Usual<T>({Metadata}JsonTypeInfo<T> type)").Line("type.NumberHandling = null;").Line("return type;").Close();
        for (var i = 0; i < types.Count; i++)
        {
            code.Line("");
            WriteType(code, types[i], i);
        }

        return code.ToString();
    }

    private static void WriteType(CodeWriter code, JsonTypeModel type, int number)
    {
        var header = $"private static {Metadata}JsonTypeInfo<{type.Type}> Describe{number}({Options}) =>";
        switch (type.Kind)
        {
            case JsonKind.Value:
                code.Line($"{header} {Services}CreateValueInfo<{type.Type}>(options, {Services}{type.Detail});");
                break;
            case JsonKind.Nullable:
                code.Line($"{header} {Services}CreateValueInfo<{type.Type}>(options, {Services}GetNullableConverter<{type.Detail}>(options));");
                break;
            case JsonKind.Enum:
                code.Line($"{header} {Services}CreateValueInfo<{type.Type}>(options, new global::System.Text.Json.Serialization.JsonStringEnumConverter<{type.Type}>().CreateConverter(typeof({type.Type}), options));");
                break;
            case JsonKind.Array:
                code.Line($"{header} Usual({Services}CreateArrayInfo<{type.Detail}>(options, new {Metadata}JsonCollectionInfoValues<{type.Type}>()));");
                break;
            case JsonKind.List:
                code.Line($"{header} Usual({Services}CreateListInfo<{type.Type}, {type.Detail}>(options, new {Metadata}JsonCollectionInfoValues<{type.Type}> {{ ObjectCreator = static () => new {type.Type}() }}));");
                break;
            case JsonKind.Dictionary:
                code.Line($"{header} Usual({Services}CreateDictionaryInfo<{type.Type}, string, {type.Detail}>(options, new {Metadata}JsonCollectionInfoValues<{type.Type}> {{ ObjectCreator = static () => new {type.Type}() }}));");
                break;
            default:
                WriteObject(code, type.Type, type.Object!, number, header);
                break;
        }
    }

    private static void WriteObject(CodeWriter code, string type, JsonObjectModel described, int number, string header)
    {
        code.Open($"{header} Usual({Services}CreateObjectInfo<{type}>(options, new {Metadata}JsonObjectInfoValues<{type}>");
        var make = described.HasRequired ? $"Make{number}" : $"new {type}";
        if (described.Parameters.Count == 0)
        {
            code.Line($"ObjectCreator = static () => {make}(),");
        }
        else
        {
            var values = described.Parameters.Select((parameter, index) => $"({parameter.Type})values[{index}]!");
            code.Line($"ObjectWithParameterizedConstructorCreator = static values => {make}({string.Join(", ", values)}),");
            code.Open($"ConstructorParameterMetadataInitializer = static () => new {Metadata}JsonParameterInfoValues[]");
            for (var i = 0; i < described.Parameters.Count; i++)
            {
                var (name, parameterType, value) = described.Parameters[i];
                code.Line($"new {Metadata}JsonParameterInfoValues {{ Name = {CodeWriter.Literal(name)}, ParameterType = typeof({parameterType}), Position = {i}, HasDefaultValue = {(value is null ? "false" : "true")}, DefaultValue = {value ?? $"default({parameterType})"} }},");
            }

            code.Close("},");
        }

        code.Line($"PropertyMetadataInitializer = _ => Members{number}(options),").Close("}));").Line("");
        WriteMembers(code, type, described, number);
        WriteAccessors(code, type, described, number, make);
    }

    private static void WriteMembers(CodeWriter code, string type, JsonObjectModel described, int number)
    {
        code.Open($"private static {Metadata}JsonPropertyInfo[] Members{number}({Options})");
        code.Line($"var members = new {Metadata}JsonPropertyInfo[{described.Members.Count}];");
        for (var i = 0; i < described.Members.Count; i++)
        {
            var member = described.Members[i];
            code.Open($"members[{i}] = {Services}CreatePropertyInfo<{member.Type}>(options, new {Metadata}JsonPropertyInfoValues<{member.Type}>");
            code.Line($"IsProperty = {(member.IsProperty ? "true" : "false")},").Line("IsPublic = true,").Line($"DeclaringType = typeof({member.Owner}),");
            code.Line($"PropertyName = {CodeWriter.Literal(member.Name)},");
            if (member.HasGetter)
            {
                code.Line($"Getter = static actor => (({type})actor).@{member.Name},");
            }

            var receiver = described.IsValueType ? $"global::System.Runtime.CompilerServices.Unsafe.Unbox<{type}>(actor)" : $"(({member.Owner})actor)";
            if (member.Setter == JsonSetter.Assign)
            {
                code.Line($"Setter = static (actor, value) => {receiver}.@{member.Name} = value!,");
            }
            else if (member.Setter == JsonSetter.Initialize)
            {
                code.Line($"Setter = static (actor, value) => Set{number}_{i}({(described.IsValueType ? "ref " : "")}{receiver}, value!),");
            }

            code.Close("});");
            if (member.IsRequired)
            {
                code.Line($"members[{i}].IsRequired = true;");
            }
        }

        code.Line("return members;").Close();
    }

    private static void WriteAccessors(CodeWriter code, string type, JsonObjectModel described, int number, string make)
    {
        if (make == $"Make{number}")
        {
            var parameters = described.Parameters.Select((parameter, index) => $"{parameter.Type} value{index}");
            code.Line("").Line($"{Accessor}Constructor)]").Line($"private static extern {type} {make}({string.Join(", ", parameters)});");
        }

        for (var i = 0; i < described.Members.Count; i++)
        {
            var member = described.Members[i];
            if (member.Setter == JsonSetter.Initialize)
            {
                code.Line("").Line($"{Accessor}Method, Name = {CodeWriter.Literal("set_" + member.Name)})]");
                code.Line($"private static extern void Set{number}_{i}({(described.IsValueType ? "ref " : "")}{member.Owner} actor, {member.Type} value);");
            }
        }
    }
}
