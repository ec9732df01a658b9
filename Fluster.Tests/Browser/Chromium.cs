using Microsoft.Playwright;

namespace Fluster.Tests;

/// <summary>One Chromium for all browser tests of a collection, started when the first of them asks. A collection names it as its fixture.</summary>
public sealed class Chromium : IAsyncLifetime
{
    internal const string Program = "chromium";

    /// <summary>Waits for what a loaded machine may delay.</summary>
    internal const float Patience = 30_000;

    private readonly Lazy<Task<(IPlaywright Driver, IBrowser Browser)>> _started = new(StartAsync);

    public Task InitializeAsync() => Task.CompletedTask;

    /// <summary>A page with cookies of its own.</summary>
    /// <param name="baseUrl">What paths are relative to.</param>
    /// <param name="scheme">The colours that the system is said to prefer.</param>
    /// <param name="width">In pixels; a phone has 390.</param>
    /// <param name="height">In pixels.</param>
    internal async Task<BrowserTab> OpenAsync(string? baseUrl = null, ColorScheme scheme = ColorScheme.Light, int width = 1280, int height = 900)
    {
        var (_, browser) = await _started.Value;
        var context = await browser.NewContextAsync(new BrowserNewContextOptions
        {
            BaseURL = baseUrl,
            ColorScheme = scheme,
            ViewportSize = new ViewportSize { Width = width, Height = height },
            ReducedMotion = ReducedMotion.Reduce,
        });
        context.SetDefaultTimeout(Patience);
        return new BrowserTab(context, await context.NewPageAsync());
    }

    public async Task DisposeAsync()
    {
        if (_started.IsValueCreated)
        {
            var (driver, browser) = await _started.Value;
            await browser.DisposeAsync();
            driver.Dispose();
        }
    }

    private static async Task<(IPlaywright Driver, IBrowser Browser)> StartAsync()
    {
        var driver = await Playwright.CreateAsync();
        return (driver, await driver.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = Tools.Find(Program) ?? throw new InvalidOperationException($"{Program} is not on PATH."),
            Headless = true,
            Args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
        }));
    }
}

/// <summary>A test in a browser: skipped by name where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class BrowserFactAttribute : FactAttribute
{
    public BrowserFactAttribute()
    {
        if (Tools.Find(Chromium.Program) is null)
        {
            Skip = $"{Chromium.Program} is not on PATH (eng/install-services.sh installs it).";
        }
    }
}
