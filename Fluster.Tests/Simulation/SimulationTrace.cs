using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>What happened in a run: always as a number, so that two runs can be compared, and as text when it is wanted.</summary>
internal sealed class SimulationTrace(bool kept)
{
    private readonly List<string> _lines = [];

    public bool IsKept => kept;

    /// <summary>Follows from all steps so far, and from the numbers in their notes.</summary>
    public ulong Fingerprint { get; private set; } = 14_695_981_039_346_656_037;

    public void Step(long number, long time, string what)
    {
        Mix((ulong)time);
        foreach (var letter in what)
        {
            Mix(letter);
        }

        if (kept)
        {
            _lines.Add(string.Create(CultureInfo.InvariantCulture, $"{number,6} {time / 1000.0,9:0.000}  {what}"));
        }
    }

    /// <summary>Something more about the present step.</summary>
    public void Note([InterpolatedStringHandlerArgument("")] ref NoteText text)
    {
        if (kept)
        {
            _lines.Add($"                    {text.ToStringAndClear()}");
        }
    }

    /// <summary>The end of it: what led to a violation is seldom far from it.</summary>
    public string Tail(int lines) => string.Join('\n', _lines.TakeLast(lines));

    private void Mix(ulong value) => Fingerprint = (Fingerprint ^ value) * 1_099_511_628_211;

    /// <summary>Makes text only when it is kept, and numbers part of the fingerprint always.</summary>
    [InterpolatedStringHandler]
    internal readonly ref struct NoteText
    {
        private readonly SimulationTrace _trace;
        private readonly StringBuilder? _text;

        public NoteText(int literalLength, int formattedCount, SimulationTrace trace)
        {
            _trace = trace;
            _text = trace.IsKept ? new StringBuilder(literalLength + formattedCount * 8) : null;
        }

        public void AppendLiteral(string text) => _text?.Append(text);

        public void AppendFormatted(long value)
        {
            _trace.Mix((ulong)value);
            _text?.Append(value);
        }

        public void AppendFormatted(Fence value)
        {
            _trace.Mix(value.Value);
            _text?.Append(value.Epoch).Append('.').Append(value.Counter);
        }

        public void AppendFormatted(string? value) => _text?.Append(value);

        public void AppendFormatted<T>(T value) => _text?.Append(value);

        public string ToStringAndClear() => _text?.ToString() ?? "";
    }
}
