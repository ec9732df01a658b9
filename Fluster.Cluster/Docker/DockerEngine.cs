using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Fluster.Cluster;

/// <summary>
/// The part of a Docker Engine's HTTP API that Fluster uses, over the engine's unix socket. Paths bear no version: every engine then answers by
/// the newest that it knows, and what is used here is in all of them since 20.10.
/// </summary>
internal sealed class DockerEngine : IDisposable
{
    /// <summary>Where an engine listens unless it was told otherwise.</summary>
    public const string DefaultSocket = "/var/run/docker.sock";

    /// <summary>For calls that an engine answers at once. Creating and starting containers on a busy machine takes seconds.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan s_connectPatience = TimeSpan.FromSeconds(5);

    private readonly HttpClient _http;

    /// <param name="socket">The path of the engine's socket.</param>
    public DockerEngine(string socket)
    {
        Socket = socket;
        _http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) => await ConnectAsync(socket, cancellationToken).ConfigureAwait(false),
            ConnectTimeout = s_connectPatience,
            UseProxy = false,
            AllowAutoRedirect = false, // a path that the engine would rather have otherwise is a mistake here
        })
        {
            BaseAddress = new Uri("http://docker/"),
            Timeout = Timeout.InfiniteTimeSpan, // waiting for a container takes as long as it takes
        };
    }

    public string Socket { get; }

    /// <summary>Asks who is there.</summary>
    public Task<DockerVersion> GetVersionAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "version", body: null, DockerJson.Default.DockerVersion, cancellationToken);

    /// <summary>An image of this engine; null when it has none of that name.</summary>
    public Task<DockerImage?> FindImageAsync(string name, CancellationToken cancellationToken) =>
        FindAsync($"images/{ImagePath(name)}/json", DockerJson.Default.DockerImage, cancellationToken);

    /// <summary>Fetches an image from its registry. Takes as long as that takes.</summary>
    /// <exception cref="DockerEngineException">It cannot be had.</exception>
    public async Task PullImageAsync(string name, CancellationToken cancellationToken)
    {
        // Without a tag or a digest the engine would fetch every tag that there is.
        var tag = ContainerImage.HasTagOrDigest(name) ? "" : "&tag=latest";
        using var response = await OpenAsync(HttpMethod.Post, $"images/create?fromImage={Uri.EscapeDataString(name)}{tag}", body: null, cancellationToken).ConfigureAwait(false);
        using var progress = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        using var lines = new StreamReader(progress);
        while (await lines.ReadLineAsync(cancellationToken).ConfigureAwait(false) is { } line)
        {
            // The answer was begun before the image was there, so how it ended is said in the body.
            if (line.Length > 0 && JsonSerializer.Deserialize(line, DockerJson.Default.DockerProgress)?.Error is { } error)
            {
                throw new DockerEngineException(HttpStatusCode.InternalServerError, error);
            }
        }
    }

    /// <returns>The container's id.</returns>
    public async Task<string> CreateContainerAsync(string name, DockerContainerRequest request, CancellationToken cancellationToken)
    {
        using var body = JsonContent.Create(request, DockerJson.Default.DockerContainerRequest);
        await body.LoadIntoBufferAsync(cancellationToken).ConfigureAwait(false); // with a length: some engines refuse chunks
        return (await SendAsync(HttpMethod.Post, $"containers/create?name={Uri.EscapeDataString(name)}", body, DockerJson.Default.DockerCreated, cancellationToken).ConfigureAwait(false)).Id;
    }

    public Task StartContainerAsync(string container, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, $"containers/{Uri.EscapeDataString(container)}/start", cancellationToken);

    /// <summary>A container; null when there is none of that name or id.</summary>
    public Task<DockerContainer?> FindContainerAsync(string container, CancellationToken cancellationToken) =>
        FindAsync($"containers/{Uri.EscapeDataString(container)}/json", DockerJson.Default.DockerContainer, cancellationToken);

    /// <summary>What the container writes from now on, as frames (<see cref="DockerFrames"/>). Ends with the container. The engine stops the container's writes while nobody reads.</summary>
    public async Task<Stream> AttachAsync(string container, CancellationToken cancellationToken)
    {
        var response = await OpenAsync(HttpMethod.Post, $"containers/{Uri.EscapeDataString(container)}/attach?stream=1&stdout=1&stderr=1", body: null, cancellationToken).ConfigureAwait(false);
        return await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false); // owns the connection
    }

    /// <summary>Waits until the container does not run (any more).</summary>
    /// <returns>Its exit code, which is 128 more than the number of the signal that ended it.</returns>
    public async Task<int> WaitAsync(string container, CancellationToken cancellationToken)
    {
        using var response = await OpenAsync(HttpMethod.Post, $"containers/{Uri.EscapeDataString(container)}/wait", body: null, cancellationToken).ConfigureAwait(false);
        return (int)(await ReadAsync(response, DockerJson.Default.DockerExit, cancellationToken).ConfigureAwait(false)).StatusCode;
    }

    /// <summary>Sends a signal to the container's first process.</summary>
    /// <returns>Whether it ran.</returns>
    public async Task<bool> KillAsync(string container, string signal, CancellationToken cancellationToken)
    {
        try
        {
            await SendAsync(HttpMethod.Post, $"containers/{Uri.EscapeDataString(container)}/kill?signal={signal}", cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (DockerEngineException exception) when (exception.Status is HttpStatusCode.NotFound or HttpStatusCode.Conflict)
        {
            return false;
        }
    }

    /// <summary>Kills the container, if it runs, and removes it with its volumes.</summary>
    /// <returns>Whether it is gone; not yet while the engine is still removing it.</returns>
    public async Task<bool> RemoveAsync(string container, CancellationToken cancellationToken)
    {
        try
        {
            await SendAsync(HttpMethod.Delete, $"containers/{Uri.EscapeDataString(container)}?force=1&v=1", cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (DockerEngineException exception) when (exception.Status == HttpStatusCode.NotFound)
        {
            return true;
        }
        catch (DockerEngineException exception) when (exception.Status == HttpStatusCode.Conflict)
        {
            return false; // somebody removes it at this moment
        }
    }

    /// <summary>The containers, running or not, that have a label with this value.</summary>
    public async Task<IReadOnlyList<DockerListed>> ListAsync(string label, string value, CancellationToken cancellationToken)
    {
        var filters = JsonSerializer.Serialize(new Dictionary<string, string[]>(StringComparer.Ordinal) { ["label"] = [$"{label}={value}"] }, DockerJson.Default.DictionaryStringStringArray);
        return await SendAsync(HttpMethod.Get, $"containers/json?all=1&filters={Uri.EscapeDataString(filters)}", body: null, DockerJson.Default.DockerListedArray, cancellationToken).ConfigureAwait(false);
    }

    public void Dispose() => _http.Dispose();

    private static async Task<NetworkStream> ConnectAsync(string path, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>An image's name in a path: what separates its parts stays, so that the engine finds it.</summary>
    private static string ImagePath(string name) => ContainerImage.Problem(name) is { } problem
        ? throw new ArgumentException(problem, nameof(name))
        : string.Join('/', name.Split('/').Select(Uri.EscapeDataString));

    private async Task<T?> FindAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            return await SendAsync(HttpMethod.Get, path, body: null, type, cancellationToken).ConfigureAwait(false);
        }
        catch (DockerEngineException exception) when (exception.Status == HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    private async Task SendAsync(HttpMethod method, string path, CancellationToken cancellationToken)
    {
        using var limit = Limit(cancellationToken);
        using var response = await InTimeAsync(() => OpenAsync(method, path, body: null, limit.Token), cancellationToken).ConfigureAwait(false);
    }

    private async Task<T> SendAsync<T>(HttpMethod method, string path, HttpContent? body, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        using var limit = Limit(cancellationToken);
        return await InTimeAsync(
            async () =>
            {
                using var response = await OpenAsync(method, path, body, limit.Token).ConfigureAwait(false);
                return await ReadAsync(response, type, limit.Token).ConfigureAwait(false);
            },
            cancellationToken).ConfigureAwait(false);
    }

    private static CancellationTokenSource Limit(CancellationToken cancellationToken)
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_patience);
        return limit;
    }

    private async Task<T> InTimeAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken)
    {
        try
        {
            return await call().ConfigureAwait(false);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw Unreachable($"no answer within {s_patience.TotalSeconds} s", exception);
        }
    }

    /// <summary>Sends a request and returns when the answer has begun.</summary>
    private async Task<HttpResponseMessage> OpenAsync(HttpMethod method, string path, HttpContent? body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body };
        HttpResponseMessage response;
        try
        {
            response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
        }
        catch (HttpRequestException exception)
        {
            throw Unreachable((exception.InnerException ?? exception).Message, exception);
        }

        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        using (response)
        {
            var said = await ReadTextAsync(response, cancellationToken).ConfigureAwait(false);
            throw new DockerEngineException(response.StatusCode, said);
        }
    }

    private async Task<string> ReadTextAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            var text = await response.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false);
            return text.StartsWith('{') && JsonSerializer.Deserialize(text, DockerJson.Default.DockerProblem)?.Message is { } message ? message.Trim() : text.Trim();
        }
        catch (JsonException)
        {
            return $"HTTP status {(int)response.StatusCode}";
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            throw Unreachable(exception.Message, exception);
        }
    }

    private async Task<T> ReadAsync<T>(HttpResponseMessage response, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        try
        {
            return await response.Content.ReadFromJsonAsync(type, cancellationToken).ConfigureAwait(false)
                ?? throw new DockerEngineException(response.StatusCode, "the answer is empty");
        }
        catch (JsonException exception)
        {
            throw new DockerEngineException(response.StatusCode, $"the answer cannot be read: {exception.Message}", exception);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            throw Unreachable(exception.Message, exception);
        }
    }

    private DockerEngineException Unreachable(string why, Exception exception) => new(status: null, $"The Docker Engine at {Socket} does not answer: {why.TrimEnd('.')}.", exception);
}

/// <summary>The engine refused, or did not answer.</summary>
internal sealed class DockerEngineException(HttpStatusCode? status, string message, Exception? innerException = null) : Exception(message, innerException)
{
    /// <summary>What it answered; null when it did not.</summary>
    public HttpStatusCode? Status { get; } = status;
}
