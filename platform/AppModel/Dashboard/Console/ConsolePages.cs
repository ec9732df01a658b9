using System.Globalization;
using System.Text;
using AppModel.Pages;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Running;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Aspire.Hosting.Dashboard;

/// <summary>What resources print: of one or of all, searched, followed, downloaded.</summary>
internal sealed class ConsolePages(RunArchive runs, DistributedApplicationModel model, SourceNames names, PageWriter pages, Frames frames)
{
    private const string All = "all";

    /// <summary>Lines on a page as it is opened; a search looks at all that are kept.</summary>
    private const int MostShown = 2_000;

    public void Map(WebApplication app)
    {
        app.Get("/console", ShowAsync);
        app.Get("/console/lines", LinesAsync);
        app.Get("/console/download", DownloadAsync);
    }

    private async Task<IResult> ShowAsync(HttpContext context)
    {
        if (runs.Of(context) is not { } run)
        {
            return await frames.MissingAsync(context, "That run is not kept any more.");
        }

        var question = Question.Of(context);
        var slice = run.Consoles.Read(SourcesOf(question.Resource), question.Search, after: 0, MostShown);
        return await pages.DrawAsync<ConsolePage>(new()
        {
            ["Frame"] = frames.Of(context, "/console"),
            ["Choices"] = Choices(run, question.Resource),
            ["Resource"] = question.Resource,
            ["Search"] = question.Search,
            ["Found"] = slice.Found,
            ["Lines"] = Lines(slice.Entries),
            ["Last"] = slice.Last,
            ["Follow"] = run.IsThis ? $"/console/lines?{question.Query}" : null,
            ["Download"] = frames.Of(context, "/console").Link($"/console/download?{question.Query}"),
        });
    }

    /// <summary>The lines that came after those that a page has.</summary>
    private Task<IResult> LinesAsync(HttpContext context)
    {
        var question = Question.Of(context);
        _ = long.TryParse(context.Request.Query["after"], CultureInfo.InvariantCulture, out var after);
        var slice = runs.This.Consoles.Read(SourcesOf(question.Resource), question.Search, after, MostShown);
        context.Response.Headers["X-Last"] = slice.Last.ToString(CultureInfo.InvariantCulture);
        return slice.Entries.Count == 0
            ? Task.FromResult(Results.Text("", "text/html; charset=utf-8"))
            : pages.DrawAsync<ConsoleLines>(new() { ["Lines"] = Lines(slice.Entries), ["Search"] = question.Search });
    }

    private async Task<IResult> DownloadAsync(HttpContext context)
    {
        if (runs.Of(context) is not { } run)
        {
            return await frames.MissingAsync(context, "That run is not kept any more.");
        }

        var question = Question.Of(context);
        var text = new StringBuilder();
        foreach (var entry in run.Consoles.Read(SourcesOf(question.Resource), question.Search, after: 0, int.MaxValue).Entries)
        {
            text.Append(CultureInfo.InvariantCulture, $"{entry.At:O} [{entry.Source}] {entry.Text}\n");
        }

        return Results.File(Encoding.UTF8.GetBytes(text.ToString()), "text/plain; charset=utf-8", $"{(question.Resource.Length == 0 ? All : question.Resource)}.log");
    }

    /// <summary>A resource has the consoles of all its processes.</summary>
    private IReadOnlyCollection<string>? SourcesOf(string name) =>
        name.Length == 0 ? null
        : model.Resources.TryGetByName(name, out var resource) ? [.. resource.InstanceIds(), name]
        : [name];

    private List<ConsoleChoice> Choices(RunData run, string chosen)
    {
        var choices = run.Consoles.Sources.Select(names.Of).Append(chosen).Where(name => name.Length > 0)
            .Distinct(StringComparer.OrdinalIgnoreCase).Order(StringComparer.OrdinalIgnoreCase).Select(name => new ConsoleChoice(name, name)).ToList();
        choices.Insert(0, new ConsoleChoice("", "All resources"));
        return choices;
    }

    private List<ConsoleLine> Lines(IReadOnlyList<ConsoleEntry> entries) =>
        [.. entries.Select(entry => new ConsoleLine(entry.At, names.Of(entry.Source), entry.Text, entry.IsError))];

    private sealed record Question(string Resource, string Search)
    {
        public string Query => $"resource={Uri.EscapeDataString(Resource)}&q={Uri.EscapeDataString(Search)}";

        public static Question Of(HttpContext context)
        {
            var query = context.Request.Query;
            return new Question(((string?)query["resource"] ?? "").Trim(), ((string?)query["q"] ?? "").Trim());
        }
    }
}
