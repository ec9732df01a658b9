using Grpc.Core;

namespace Fluster.Controller;

/// <summary>A list of endpoints, and what was asked for.</summary>
internal sealed record EndpointPageView(string Prefix, string Namespace, IReadOnlyList<V1.Endpoint> Endpoints, bool IsCut);

/// <summary>An endpoint with the form by which it is called.</summary>
/// <param name="Endpoint">The endpoint.</param>
/// <param name="Methods">What can be called there.</param>
/// <param name="Problem">Why that is not known; null: it is.</param>
/// <param name="Chosen">The method of the form; null: none.</param>
/// <param name="Values">What was put into its fields.</param>
/// <param name="Answer">What the call came to; null: there was none.</param>
internal sealed record EndpointView(
    V1.Endpoint Endpoint, IReadOnlyList<CallableMethod> Methods, string? Problem, CallableMethod? Chosen, IReadOnlyDictionary<string, string> Values, CallAnswer? Answer);

/// <summary>The pages of endpoints.</summary>
internal static class EndpointPages
{
    private const int MostListed = 200;
    private const string FieldPrefix = "field.";

    public static void MapEndpointPages(this IEndpointRouteBuilder pages)
    {
        pages.MapGet("/endpoints", List);
        pages.MapGet("/endpoint", ShowAsync);
        pages.MapPost("/endpoint/call", CallAsync);
    }

    private static IResult List(PageContext page, ClusterLoop loop, string? prefix, string? @namespace)
    {
        var caller = page.Caller!;
        var (begin, wanted) = (prefix ?? "", @namespace ?? "");
        var found = loop.Current.Endpoints.All
            .Where(endpoint => caller.MayUse(endpoint.Namespace) && (wanted.Length == 0 || endpoint.Namespace.ToString() == wanted) && endpoint.Name.StartsWith(begin, StringComparison.Ordinal))
            .Take(MostListed + 1).Select(endpoint => endpoint.ToDomain().ToWire()).ToList();
        var list = new EndpointPageView(begin, wanted, [.. found.Take(MostListed)], found.Count > MostListed);
        return page.Show(new PageHead("Endpoints", "/endpoints"), EndpointsPage.Draw(page, list));
    }

    private static async Task<IResult> ShowAsync(PageContext page, EndpointCaller calls, EndpointCalls endpoints, HttpContext context, string? @namespace, string? name, string? id, string? method)
    {
        var endpoint = Find(endpoints, page.Caller!, @namespace ?? "", name ?? "", id ?? "");
        return await DrawAsync(page, calls, endpoint, method, new Dictionary<string, string>(StringComparer.Ordinal), null, context.RequestAborted);
    }

    private static async Task<IResult> CallAsync(PageContext page, EndpointCaller calls, EndpointCalls endpoints, HttpContext context)
    {
        var form = await PageFilter.FormOf(context);
        var endpoint = Find(endpoints, page.Caller!, form["namespace"].ToString(), form["name"].ToString(), form["id"].ToString());
        var values = form.Where(field => field.Key.StartsWith(FieldPrefix, StringComparison.Ordinal)).ToDictionary(field => field.Key[FieldPrefix.Length..], field => field.Value.ToString(), StringComparer.Ordinal);
        return await DrawAsync(page, calls, endpoint, form["method"].ToString(), values, calls.CallAsync, context.RequestAborted);
    }

    private static async Task<IResult> DrawAsync(
        PageContext page, EndpointCaller calls, V1.Endpoint endpoint, string? method, Dictionary<string, string> values,
        Func<V1.Endpoint, CallableMethod, IReadOnlyDictionary<string, string>, CancellationToken, Task<CallAnswer>>? call, CancellationToken cancellationToken)
    {
        var (methods, problem) = await calls.MethodsAsync(endpoint, cancellationToken);
        var chosen = methods.FirstOrDefault(candidate => candidate.Path == method);
        var answer = chosen is not null && call is not null ? await call(endpoint, chosen, values, cancellationToken) : null;
        if (chosen is not null && values.Count == 0)
        {
            values = Suggested(endpoint, chosen);
        }

        return page.Show(new PageHead(endpoint.Name, "/endpoints"), EndpointPage.Draw(page, new EndpointView(endpoint, methods, problem, chosen, values, answer)));
    }

    /// <summary>What probably belongs into the fields: servers of many objects are told by its name which one is meant, and what the endpoint says of itself fits fields of the same name.</summary>
    private static Dictionary<string, string> Suggested(V1.Endpoint endpoint, CallableMethod method)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var field in method.Fields)
        {
            if (endpoint.Metadata.TryGetValue(field.Name, out var known))
            {
                values[field.Name] = known;
            }
        }

        if (method.Fields is [{ Kind: FieldKind.Text, Number: 1 } first, ..])
        {
            values.TryAdd(first.Name, endpoint.Name);
        }

        return values;
    }

    private static V1.Endpoint Find(EndpointCalls endpoints, Caller caller, string @namespace, string name, string id)
    {
        var named = endpoints.Lookup(caller, new V1.LookupEndpointsRequest { Namespace = @namespace, Name = name }).Endpoints;
        return named.FirstOrDefault(endpoint => endpoint.EndpointId == id)
            ?? named.FirstOrDefault() // another one has taken its place
            ?? throw new RpcException(new Status(StatusCode.NotFound, $"There is no endpoint '{name}' in the namespace {(@namespace.Length > 0 ? @namespace : caller.Namespace)} any more."));
    }
}
