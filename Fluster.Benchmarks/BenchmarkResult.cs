using System.Text.Json;
using System.Text.Json.Serialization;

namespace Fluster.Benchmarks;

/// <summary>What one case came to. One line of JSON on standard output.</summary>
/// <param name="Bench">The benchmark.</param>
/// <param name="Case">The case, unique in its benchmark.</param>
/// <param name="Value">What was measured, in <paramref name="Unit"/>.</param>
/// <param name="Unit">Such as "calls/s" or "ms".</param>
/// <param name="Baseline">What it is compared with, measured in the same run; null where there is nothing to compare with.</param>
/// <param name="Ratio">Value by baseline.</param>
/// <param name="Limit">What <paramref name="Ratio"/>, or without a baseline <paramref name="Value"/>, has to keep; null for a case that is only reported.</param>
/// <param name="Ok">Whether the limit is kept.</param>
internal sealed record BenchmarkResult(
    string Bench, string Case, double Value, string Unit, double? Baseline, double? Ratio, double? Limit, bool Ok)
{
    private static readonly JsonSerializerOptions s_json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.Never,
    };

    /// <summary>More is better: holds when value / baseline reaches <paramref name="limit"/>.</summary>
    public static BenchmarkResult RatioAtLeast(string bench, string @case, double value, string unit, double baseline, double limit) =>
        new(bench, @case, Round(value), unit, Round(baseline), Round(value / baseline), limit, value / baseline >= limit);

    /// <summary>Less is better: holds when value / baseline stays within <paramref name="limit"/>.</summary>
    public static BenchmarkResult RatioAtMost(string bench, string @case, double value, string unit, double baseline, double limit) =>
        new(bench, @case, Round(value), unit, Round(baseline), Round(value / baseline), limit, value / baseline <= limit);

    /// <summary>More is better: holds when the value reaches <paramref name="limit"/>.</summary>
    public static BenchmarkResult AtLeast(string bench, string @case, double value, string unit, double limit) =>
        new(bench, @case, Round(value), unit, Baseline: null, Ratio: null, limit, value >= limit);

    /// <summary>Less is better: holds when the value stays under <paramref name="limit"/>.</summary>
    public static BenchmarkResult Under(string bench, string @case, double value, string unit, double limit) =>
        new(bench, @case, Round(value), unit, Baseline: null, Ratio: null, limit, value < limit);

    /// <summary>Holds when the value is exactly <paramref name="limit"/>: for counts.</summary>
    public static BenchmarkResult Exactly(string bench, string @case, double value, string unit, double limit) =>
        new(bench, @case, value, unit, Baseline: null, Ratio: null, limit, value.Equals(limit));

    /// <summary>No limit: a figure to know.</summary>
    public static BenchmarkResult Reported(string bench, string @case, double value, string unit, double? baseline = null) =>
        new(bench, @case, Round(value), unit, baseline is { } known ? Round(known) : null, baseline is { } by ? Round(value / by) : null, Limit: null, Ok: true);

    public string ToJson() => JsonSerializer.Serialize(this, s_json);

    private static double Round(double value) => Math.Abs(value) >= 1000 ? Math.Round(value) : Math.Round(value, 3);
}
