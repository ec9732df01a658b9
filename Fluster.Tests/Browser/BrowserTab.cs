using System.Collections.Concurrent;
using Microsoft.Playwright;

namespace Fluster.Tests;

/// <summary>A page of a browser, and what went wrong in it: errors of scripts, what its content policy refused, answers that it did not expect.</summary>
internal sealed class BrowserTab : IAsyncDisposable
{
    private readonly IBrowserContext _context;
    private readonly ConcurrentQueue<string> _errors = new();

    public BrowserTab(IBrowserContext context, IPage page)
    {
        _context = context;
        Page = page;
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
            {
                _errors.Enqueue($"{message.Type} in {page.Url}: {message.Text}");
            }
        };
        page.PageError += (_, error) => _errors.Enqueue($"exception in {page.Url}: {error}");
    }

    public IPage Page { get; }

    public IReadOnlyCollection<string> Errors => _errors;

    /// <summary>Nothing was written to the console as an error or a warning.</summary>
    public void AssertNoErrors() => Assert.Empty(_errors);

    /// <summary>Forgets errors that the test has provoked.</summary>
    public void ForgetErrors() => _errors.Clear();

    /// <summary>
    /// Checks the page as it is: language, title, one first heading and none left out, names of all that can be used, ids that are there once, contrast of all
    /// text in both colour schemes, and nothing wider than the window.
    /// </summary>
    public async Task AssertAccessibleAsync()
    {
        var problems = new List<string>(await Page.EvaluateAsync<string[]>(PageChecks.Structure));
        foreach (var scheme in (ColorScheme[])[ColorScheme.Dark, ColorScheme.Light])
        {
            await Page.EmulateMediaAsync(new PageEmulateMediaOptions { ColorScheme = scheme });
            problems.AddRange((await Page.EvaluateAsync<string[]>(PageChecks.Contrast)).Select(problem => $"{scheme}: {problem}"));
        }

        Assert.True(problems.Count == 0, $"{Page.Url}:\n{string.Join('\n', problems.Take(40))}");
    }

    /// <summary>The same at the width of a phone, where nothing may stick out.</summary>
    public async Task AssertFitsPhoneAsync()
    {
        var size = Page.ViewportSize!;
        await Page.SetViewportSizeAsync(390, 844);
        var problems = await Page.EvaluateAsync<string[]>(PageChecks.Width);
        await Page.SetViewportSizeAsync(size.Width, size.Height);
        Assert.True(problems.Length == 0, $"{Page.Url} on a phone:\n{string.Join('\n', problems)}");
    }

    /// <summary>Keeps a picture for the documentation: only when <c>FLUSTER_TESTS_SCREENSHOTS=1</c> asks for it.</summary>
    /// <param name="name">The file in docs/images, without its ending; one that ends with "-" is none.</param>
    public async Task ScreenshotAsync(string name)
    {
        if (TestScale.TakesScreenshots && !name.EndsWith('-'))
        {
            var directory = Path.Combine(Repository.Root, "docs", "images");
            Directory.CreateDirectory(directory);
            await Page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(directory, $"{name}.png") });
        }
    }

    public ValueTask DisposeAsync() => _context.DisposeAsync();
}
