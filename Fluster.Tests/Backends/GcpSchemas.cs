using System.Text.Json;
using System.Text.RegularExpressions;

namespace Fluster.Tests;

/// <summary>
/// Google's own descriptions of the two APIs: which methods there are, and what their messages look like. They are not part of this repository: they are looked for in
/// <c>shared/reference/gcp-schemas</c> in the folders above it, or where <c>FLUSTER_GCP_SCHEMAS</c> says.
/// </summary>
internal sealed class GcpSchemas
{
    /// <summary>The compute description names no message types.</summary>
    private static readonly Dictionary<string, (string? Request, string Answer)> s_computeMessages = new(StringComparer.Ordinal)
    {
        ["instances.insert"] = ("Instance", "Operation"),
        ["instances.get"] = (null, "Instance"),
        ["instances.list"] = (null, "InstanceList"),
        ["instances.aggregatedList"] = (null, "InstanceAggregatedList"),
        ["instances.delete"] = (null, "Operation"),
        ["instances.setLabels"] = ("InstancesSetLabelsRequest", "Operation"),
        ["instances.setMetadata"] = ("Metadata", "Operation"),
        ["instances.getSerialPortOutput"] = (null, "SerialPortOutput"),
        ["zoneOperations.get"] = (null, "Operation"),
        ["zoneOperations.wait"] = (null, "Operation"),
        ["machineTypes.list"] = (null, "MachineTypeList"),
    };

    private readonly JsonElement _compute;
    private readonly JsonElement _tpu;
    private readonly List<ApiMethod> _methods = [];

    private GcpSchemas(string folder)
    {
        _compute = Read(Path.Combine(folder, "compute.v1.subset.json"));
        _tpu = Read(Path.Combine(folder, "tpu.v2.json"));
        foreach (var method in _compute.GetProperty("methods").EnumerateObject())
        {
            var (request, answer) = s_computeMessages.GetValueOrDefault(method.Name, (null, ""));
            _methods.Add(new ApiMethod(method.Name, method.Value, "/compute/v1/" + method.Value.GetProperty("path").GetString(), request, answer, IsTpu: false));
        }

        AddResources(_tpu);
    }

    /// <summary>Null where the descriptions are not there.</summary>
    public static GcpSchemas? Found { get; } = Find() is { } folder ? new GcpSchemas(folder) : null;

    /// <summary>What is wrong with a request and its answer; nothing when both are as Google describes them.</summary>
    public IReadOnlyList<string> Check(string method, Uri uri, string? request, int status, string answer)
    {
        var errors = new List<string>();
        var found = _methods.Where(candidate => candidate.Matches(method, uri.AbsolutePath)).ToList();
        if (found is not [var api])
        {
            return [$"{method} {uri.AbsolutePath}: {found.Count} methods of the APIs are called so"];
        }

        foreach (var name in uri.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries).Select(pair => pair.Split('=')[0]))
        {
            if (!api.HasQuery(name))
            {
                errors.Add($"{api.Name}: no query parameter '{name}'");
            }
        }

        var schemas = (api.IsTpu ? _tpu : _compute).GetProperty("schemas");
        if (request is { Length: > 0 })
        {
            if (api.Request is null)
            {
                errors.Add($"{api.Name} takes no body");
            }
            else
            {
                Check(schemas, JsonDocument.Parse(request).RootElement, schemas.GetProperty(api.Request), $"request {api.Request}", isRequest: true, errors);
            }
        }

        if (status == 200)
        {
            Check(schemas, JsonDocument.Parse(answer).RootElement, schemas.GetProperty(api.Answer), $"answer {api.Answer}", isRequest: false, errors);
        }
        else
        {
            CheckError(api, status, answer, errors);
        }

        return errors;
    }

    /// <summary>Checks one document.</summary>
    public IReadOnlyList<string> Check(bool isTpu, string schema, string json, bool isRequest)
    {
        var errors = new List<string>();
        var schemas = (isTpu ? _tpu : _compute).GetProperty("schemas");
        Check(schemas, JsonDocument.Parse(json).RootElement, schemas.GetProperty(schema), schema, isRequest, errors);
        return errors;
    }

    /// <summary>There is no schema for refusals: their shape is given by what Google's servers have been recorded to answer.</summary>
    private static void CheckError(ApiMethod api, int status, string answer, List<string> errors)
    {
        var error = JsonDocument.Parse(answer).RootElement.GetProperty("error");
        if (error.GetProperty("code").GetInt32() != status || error.GetProperty("message").ValueKind != JsonValueKind.String)
        {
            errors.Add($"{api.Name}: the error's code is not the status, or it has no message");
        }

        if (api.IsTpu ? !error.TryGetProperty("status", out _) || error.TryGetProperty("errors", out _) : error.GetProperty("errors")[0].GetProperty("reason").GetString() is not { Length: > 0 })
        {
            errors.Add($"{api.Name}: the error is not of the API's shape: {answer}");
        }
    }

    private static void Check(JsonElement schemas, JsonElement value, JsonElement schema, string path, bool isRequest, List<string> errors)
    {
        if (schema.TryGetProperty("$ref", out var reference))
        {
            if (!schemas.TryGetProperty(reference.GetString()!, out schema))
            {
                return;
            }
        }

        var type = schema.TryGetProperty("type", out var given) ? given.GetString() : null;
        var has = schema.TryGetProperty("properties", out var properties);
        switch (type)
        {
            case "object" or null when type is not null || has:
                CheckObject(schemas, value, schema, properties, path, isRequest, errors);
                break;
            case "array" when value.ValueKind != JsonValueKind.Array:
                errors.Add($"{path}: expected an array");
                break;
            case "array":
                foreach (var (index, item) in value.EnumerateArray().Index())
                {
                    Check(schemas, item, schema.GetProperty("items"), $"{path}[{index}]", isRequest, errors);
                }

                break;
            case "string" when value.ValueKind != JsonValueKind.String:
                errors.Add($"{path}: expected text, has {value.GetRawText()}");
                break;
            case "string" when schema.TryGetProperty("enum", out var names) && !names.EnumerateArray().Any(name => name.GetString() == value.GetString()):
                errors.Add($"{path}: '{value.GetString()}' is not one of its values");
                break;
            case "integer" when value.ValueKind != JsonValueKind.Number || !value.TryGetInt64(out _):
                errors.Add($"{path}: expected a whole number, has {value.GetRawText()}");
                break;
            case "number" when value.ValueKind != JsonValueKind.Number:
                errors.Add($"{path}: expected a number, has {value.GetRawText()}");
                break;
            case "boolean" when value.ValueKind is not (JsonValueKind.True or JsonValueKind.False):
                errors.Add($"{path}: expected true or false, has {value.GetRawText()}");
                break;
        }
    }

    private static void CheckObject(JsonElement schemas, JsonElement value, JsonElement schema, JsonElement properties, string path, bool isRequest, List<string> errors)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            errors.Add($"{path}: expected an object, has {value.GetRawText()}");
            return;
        }

        foreach (var member in value.EnumerateObject())
        {
            if (properties.ValueKind == JsonValueKind.Object && properties.TryGetProperty(member.Name, out var known))
            {
                if (isRequest && IsOutputOnly(known))
                {
                    errors.Add($"{path}.{member.Name}: only answers have it");
                }

                Check(schemas, member.Value, known, $"{path}.{member.Name}", isRequest, errors);
            }
            else if (schema.TryGetProperty("additionalProperties", out var others))
            {
                Check(schemas, member.Value, others, $"{path}.{member.Name}", isRequest, errors);
            }
            else if (member.Name != "@type")
            {
                errors.Add($"{path}.{member.Name}: there is no such property");
            }
        }
    }

    private static bool IsOutputOnly(JsonElement property)
    {
        var description = property.TryGetProperty("description", out var text) ? text.GetString()! : "";
        return property.TryGetProperty("readOnly", out var readOnly) && readOnly.GetBoolean()
            || description.Contains("[Output Only]", StringComparison.Ordinal) && !description.Contains("[Input", StringComparison.Ordinal);
    }

    private void AddResources(JsonElement parent)
    {
        if (parent.TryGetProperty("methods", out var methods) && methods.ValueKind == JsonValueKind.Object)
        {
            foreach (var method in methods.EnumerateObject().Where(method => method.Value.TryGetProperty("flatPath", out _)))
            {
                var request = method.Value.TryGetProperty("request", out var body) ? body.GetProperty("$ref").GetString() : null;
                var answer = method.Value.GetProperty("response").GetProperty("$ref").GetString()!;
                _methods.Add(new ApiMethod(method.Value.GetProperty("id").GetString()!, method.Value, "/" + method.Value.GetProperty("flatPath").GetString(), request, answer, IsTpu: true));
            }
        }

        if (parent.TryGetProperty("resources", out var resources))
        {
            foreach (var resource in resources.EnumerateObject())
            {
                AddResources(resource.Value);
            }
        }
    }

    private static JsonElement Read(string file) => JsonDocument.Parse(File.ReadAllText(file)).RootElement;

    private static string? Find()
    {
#pragma warning disable RS0030 // Tests have no configuration of their own.
        var candidates = Environment.GetEnvironmentVariable("FLUSTER_GCP_SCHEMAS") is { Length: > 0 } named
            ? [named]
            : Above(Repository.Root).Select(folder => Path.Combine(folder, "shared", "reference", "gcp-schemas"));
#pragma warning restore RS0030
        return candidates.FirstOrDefault(folder => File.Exists(Path.Combine(folder, "tpu.v2.json")));
    }

    private static IEnumerable<string> Above(string? folder)
    {
        for (; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            yield return folder;
        }
    }

    private sealed record ApiMethod(string Name, JsonElement Description, string Template, string? Request, string Answer, bool IsTpu)
    {
        private readonly Regex _path = new($"^{Regex.Replace(Regex.Escape(Template), @"\\\{\w+}", "[^/:]+")}$");

        public bool Matches(string method, string path) => Answer.Length > 0 && Description.GetProperty("httpMethod").GetString() == method && _path.IsMatch(path);

        public bool HasQuery(string name) => Description.GetProperty("parameters").TryGetProperty(name, out var parameter) && parameter.GetProperty("location").GetString() == "query";
    }
}

/// <summary>A test that needs Google's descriptions.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class GcpSchemaFactAttribute : FactAttribute
{
    public GcpSchemaFactAttribute()
    {
        if (GcpSchemas.Found is null)
        {
            Skip = "Google's API descriptions are not here: neither shared/reference/gcp-schemas in a folder above the repository nor FLUSTER_GCP_SCHEMAS.";
        }
    }
}
