namespace Aspire.Hosting.ApplicationModel;

/// <summary>What a command's answer is made of.</summary>
public class HttpCommandOptions : CommandOptions
{
    /// <summary>The endpoint. Default: the resource's https one, else its http one.</summary>
    public Func<EndpointReference>? EndpointSelector { get; set; }

    /// <summary>The method. Default: POST.</summary>
    public HttpMethod? Method { get; set; }

    /// <summary>The name of the client to make it with, as IHttpClientFactory has it. Default: one of its own.</summary>
    public string? HttpClientName { get; set; }

    /// <summary>Changes the request before it is sent.</summary>
    public Func<HttpCommandRequestContext, Task>? PrepareRequest { get; set; }

    /// <summary>Makes the command's result of the response. Default: it succeeded when the response did.</summary>
    public Func<HttpCommandResultContext, Task<ExecuteCommandResult>>? GetCommandResult { get; set; }
}

/// <summary>A command's request before it is sent.</summary>
public sealed class HttpCommandRequestContext
{
    /// <summary>The AppHost's services.</summary>
    public required IServiceProvider ServiceProvider { get; init; }

    /// <summary>The id of the process that the command is for, or the resource's name.</summary>
    public required string ResourceName { get; init; }

    /// <summary>Where it goes.</summary>
    public required EndpointReference Endpoint { get; init; }

    /// <summary>Cancelled when whoever asked for it wants it no more.</summary>
    public required CancellationToken CancellationToken { get; init; }

    /// <summary>What sends it.</summary>
    public required HttpClient HttpClient { get; init; }

    /// <summary>The request.</summary>
    public required HttpRequestMessage Request { get; init; }
}

/// <summary>The response to a command's request.</summary>
public sealed class HttpCommandResultContext
{
    /// <summary>The AppHost's services.</summary>
    public required IServiceProvider ServiceProvider { get; init; }

    /// <summary>The id of the process that the command is for, or the resource's name.</summary>
    public required string ResourceName { get; init; }

    /// <summary>Where the request went.</summary>
    public required EndpointReference Endpoint { get; init; }

    /// <summary>Cancelled when whoever asked for it wants it no more.</summary>
    public required CancellationToken CancellationToken { get; init; }

    /// <summary>What sent it.</summary>
    public required HttpClient HttpClient { get; init; }

    /// <summary>The response.</summary>
    public required HttpResponseMessage Response { get; init; }
}
