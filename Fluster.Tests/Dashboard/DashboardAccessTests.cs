using System.Net;
using System.Text.RegularExpressions;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Who comes into the cluster's dashboard, with what, and what a browser is given to keep.</summary>
public sealed partial class DashboardAccessTests : IAsyncLifetime
{
    private ControllerProcess _controller = null!;

    public async Task InitializeAsync() => _controller = await ControllerProcess.StartAsync();

    public async Task DisposeAsync() => await _controller.DisposeAsync();

    [Fact]
    public async Task Login_RightToken_GivesACookieThatIsNoToken_AndThatOutlivesTheController()
    {
        using var browser = new Browser(_controller);

        using var entered = await browser.LoginAsync(_controller.AdminToken, next: "/jobs?state=Running");

        Assert.Equal((HttpStatusCode.SeeOther, "/jobs?state=Running"), (entered.StatusCode, entered.Headers.Location!.ToString()));
        var cookie = Assert.Single(entered.Headers.GetValues("Set-Cookie"));
        Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("samesite=strict", cookie, StringComparison.OrdinalIgnoreCase);
        var value = browser.Cookie;
        Assert.DoesNotContain(_controller.AdminToken.Split('.')[2], value, StringComparison.Ordinal);
        using (var stolen = new HttpClient { BaseAddress = new Uri(_controller.HttpAddress) })
        {
            stolen.DefaultRequestHeaders.TryAddWithoutValidation("authorization", $"Bearer {value}");
            using var refused = await stolen.GetAsync("/jobs");
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        }

        Assert.Contains("<h1>Jobs</h1>", await browser.GetAsync("/jobs"), StringComparison.Ordinal);
        await _controller.StopAsync();
        await _controller.StartAsync();
        Assert.Contains("<h1>Jobs</h1>", await browser.GetAsync("/jobs"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Login_WrongToken_SaysWhy_AndTooManyAreNotLookedAt()
    {
        await using var strict = await ControllerProcess.StartAsync(new Dictionary<string, string?>(StringComparer.Ordinal) { ["Fluster__Controller__FailedCallsPerSecond"] = "1" });
        using var browser = new Browser(strict);

        using var wrong = await browser.LoginAsync("x.y.z");
        using var tooMany = await browser.LoginAsync("x.y.z");
        using var job = await new Browser(_controller).LoginAsync(_controller.Sign(new TokenClaims { Role = TokenRoles.Worker, Worker = "w", ExpiresAt = 0 }));

        Assert.Equal(HttpStatusCode.Unauthorized, wrong.StatusCode);
        Assert.Contains("This token does not open the dashboard.", await wrong.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.TooManyRequests, tooMany.StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, job.StatusCode);
        Assert.Contains("it takes one of the role admin or service", await job.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.False(wrong.Headers.Contains("Set-Cookie"));
    }

    [Theory]
    [InlineData("/job?id=a-12345678", "/job?id=a-12345678")]
    [InlineData("//evil.example/", "/")]
    [InlineData("/\\evil.example/", "/")]
    [InlineData("https://evil.example/", "/")]
    [InlineData("/login?next=/", "/")]
    public async Task Login_GoesOn_OnlyToPathsOfThisController(string next, string expected)
    {
        using var browser = new Browser(_controller);

        using var entered = await browser.LoginAsync(_controller.AdminToken, next);

        Assert.Equal(expected, entered.Headers.Location!.ToString());
    }

    [Fact]
    public async Task Page_WithoutASession_LeadsToTheLoginAndBack_AndAfterRevocationToo()
    {
        using var browser = new Browser(_controller);

        using var before = await browser.SendAsync(HttpMethod.Get, "/job?id=a-12345678");

        Assert.Equal((HttpStatusCode.SeeOther, "/login?next=%2Fjob%3Fid%3Da-12345678"), (before.StatusCode, before.Headers.Location!.ToString()));
        using var entered = await browser.LoginAsync(ServiceToken("team", TimeSpan.FromMinutes(-1)));
        Assert.Contains("namespace team", await browser.GetAsync("/jobs"), StringComparison.Ordinal);
        using var channel = _controller.Channel();
        await ControllerProcess.Service(channel).RevokeNamespaceAsync(new Cluster.V1.RevokeNamespaceRequest { Namespace = "team" }, _controller.Headers());
        using var after = await browser.SendAsync(HttpMethod.Get, "/jobs");
        Assert.Equal((HttpStatusCode.SeeOther, "/login?next=%2Fjobs"), (after.StatusCode, after.Headers.Location!.ToString()));
    }

    [Fact]
    public async Task NamespaceToken_SeesItsOwnNamespaceOnly()
    {
        await using var client = _controller.Client();
        var mine = await client.SubmitAsync(TestCluster.Bash("true", "mine") with { Namespace = Namespace.Parse("team") });
        var theirs = await client.SubmitAsync(TestCluster.Bash("true", "theirs"));
        using var browser = new Browser(_controller);
        using var entered = await browser.LoginAsync(ServiceToken("team"));

        foreach (var path in (string[])["/", "/jobs", "/jobs?namespace=default", "/jobs?name=theirs"])
        {
            Assert.DoesNotContain(theirs.Id.ToString(), await browser.GetAsync(path), StringComparison.Ordinal);
        }

        Assert.Contains(mine.Id.ToString(), await browser.GetAsync("/jobs"), StringComparison.Ordinal);
        using var hidden = await browser.SendAsync(HttpMethod.Get, $"/job?id={theirs.Id}");
        Assert.Equal(HttpStatusCode.NotFound, hidden.StatusCode);
        using var stopped = await browser.PostAsync("/job/stop", ("id", theirs.Id.ToString()), ("form", await browser.FormTokenAsync()));
        Assert.Equal(HttpStatusCode.NotFound, stopped.StatusCode);
        Assert.Equal(JobState.Pending, (await client.GetStatusAsync(theirs.Id)).State);
    }

    [Fact]
    public async Task Form_OfSomebodyElse_DoesNothing()
    {
        await using var client = _controller.Client();
        var job = await client.SubmitAsync(TestCluster.Bash("true"));
        using var browser = new Browser(_controller);
        using var entered = await browser.LoginAsync(_controller.AdminToken);
        using var other = new Browser(_controller);
        using var otherEntered = await other.LoginAsync(_controller.AdminToken);
        var (id, form) = (("id", job.Id.ToString()), await browser.FormTokenAsync());

        using var without = await browser.PostAsync("/job/stop", id);
        using var foreign = await browser.PostAsync("/job/stop", id, ("form", await other.FormTokenAsync()));
        using var elsewhere = await browser.PostAsync("/job/stop", [("Origin", "http://evil.example")], id, ("form", form));
        using var crossSite = await browser.PostAsync("/job/stop", [("Sec-Fetch-Site", "cross-site")], id, ("form", form));
        using var loginFromElsewhere = await browser.PostAsync("/login", [("Origin", "null")], ("token", _controller.AdminToken));

        Assert.All([without, foreign, elsewhere, crossSite, loginFromElsewhere], answer => Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode));
        Assert.Equal(JobState.Pending, (await client.GetStatusAsync(job.Id)).State);
        using var own = await browser.PostAsync("/job/stop", [("Origin", _controller.HttpAddress)], id, ("form", form));
        Assert.Equal((HttpStatusCode.SeeOther, $"/job?id={job.Id}"), (own.StatusCode, own.Headers.Location!.ToString()));
        Assert.Equal(JobState.Killed, (await client.GetStatusAsync(job.Id)).State);
    }

    [Fact]
    public async Task EveryPage_SaysWhatABrowserMayDoWithIt()
    {
        using var browser = new Browser(_controller);
        using var entered = await browser.LoginAsync(_controller.AdminToken);

        foreach (var path in (string[])["/", "/jobs", "/login", "/job?id=nobody-12345678"])
        {
            using var answer = await browser.SendAsync(HttpMethod.Get, path);
            Assert.Contains("default-src 'self'", Assert.Single(answer.Headers.GetValues("Content-Security-Policy")), StringComparison.Ordinal);
            Assert.Contains("frame-ancestors 'none'", Assert.Single(answer.Headers.GetValues("Content-Security-Policy")), StringComparison.Ordinal);
            Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
            Assert.Equal("no-store", Assert.Single(answer.Headers.GetValues("Cache-Control")));
        }

        using var asset = await browser.SendAsync(HttpMethod.Get, AssetUrl().Match(await browser.GetAsync("/")).Value);
        Assert.Equal(("text/css", true), (asset.Content.Headers.ContentType!.MediaType, asset.Headers.CacheControl!.Extensions.Any(extension => extension.Name == "immutable")));
        using var absent = await browser.SendAsync(HttpMethod.Get, "/assets/..%2F..%2Fappsettings.json");
        Assert.Equal(HttpStatusCode.NotFound, absent.StatusCode);
    }

    [Fact]
    public async Task Logout_EndsTheSession()
    {
        using var browser = new Browser(_controller);
        using var entered = await browser.LoginAsync(_controller.AdminToken);

        using var left = await browser.PostAsync("/logout", ("form", await browser.FormTokenAsync()));
        using var after = await browser.SendAsync(HttpMethod.Get, "/jobs");

        Assert.Equal("/login", left.Headers.Location!.ToString());
        Assert.Equal(HttpStatusCode.SeeOther, after.StatusCode);
    }

    private string ServiceToken(string @namespace, TimeSpan? age = null) =>
        _controller.Sign(new TokenClaims { Role = TokenRoles.Service, Namespace = @namespace, ExpiresAt = 0 }, issuedAt: TimeProvider.System.GetUtcNow() + (age ?? TimeSpan.Zero));

    [GeneratedRegex("/assets/base.css[^\"]*")]
    private static partial Regex AssetUrl();

    /// <summary>What a browser does with cookies and forms, without one.</summary>
    private sealed partial class Browser(ControllerProcess controller) : IDisposable
    {
        private readonly CookieContainer _cookies = new();
        private HttpClient? _http;

        public string Cookie => Assert.Single(_cookies.GetAllCookies()).Value;

        public Task<HttpResponseMessage> LoginAsync(string token, string next = "/") => PostAsync("/login", ("token", token), ("next", next));

        public async Task<string> GetAsync(string path)
        {
            using var answer = await SendAsync(HttpMethod.Get, path);
            var text = await answer.Content.ReadAsStringAsync();
            Assert.True(answer.StatusCode == HttpStatusCode.OK, $"{path}: {answer.StatusCode} {text}");
            return text;
        }

        public async Task<string> FormTokenAsync() => FormToken().Match(await GetAsync("/jobs")).Groups[1].Value;

        public Task<HttpResponseMessage> PostAsync(string path, params (string, string)[] fields) => PostAsync(path, [], fields);

        public Task<HttpResponseMessage> PostAsync(string path, (string Name, string Value)[] headers, params (string Name, string Value)[] fields) =>
            SendAsync(HttpMethod.Post, path, new FormUrlEncodedContent(fields.Select(field => KeyValuePair.Create(field.Name, field.Value))), headers);

        public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, HttpContent? content = null, params (string Name, string Value)[] headers)
        {
            _http ??= new HttpClient(new HttpClientHandler { CookieContainer = _cookies, AllowAutoRedirect = false }) { BaseAddress = new Uri(controller.HttpAddress) };
            using var request = new HttpRequestMessage(method, path) { Content = content };
            request.Headers.Accept.ParseAdd("text/html");
            foreach (var (name, value) in headers)
            {
                request.Headers.TryAddWithoutValidation(name, value);
            }

            return await _http.SendAsync(request);
        }

        public void Dispose() => _http?.Dispose();

        [GeneratedRegex("name=\"form\" value=\"([^\"]+)\"")]
        private static partial Regex FormToken();
    }
}
