using System.Globalization;
using System.Text;

namespace Fluster.Controller;

/// <summary>A line of numbers over time as a path of SVG. The newest is at the right; what is missing at the left was before the controller's start.</summary>
internal static class ChartPath
{
    /// <summary>Points that a chart can show: more than there are pixels are of no use.</summary>
    private const int MostPoints = 240;

    /// <param name="values">Oldest first.</param>
    /// <param name="slots">How many values the whole width has.</param>
    /// <param name="highest">The value at the top.</param>
    /// <param name="width">Of the drawing.</param>
    /// <param name="height">Of the drawing.</param>
    public static string Line(IReadOnlyList<double> values, int slots, double highest, double width, double height)
    {
        var path = new StringBuilder();
        foreach (var (x, value) in Points(values, slots, width))
        {
            var y = height - Math.Clamp(value / highest, 0, 1) * height;
            path.Append(CultureInfo.InvariantCulture, $"{(path.Length == 0 ? 'M' : 'L')}{x:0.#} {y:0.#}");
        }

        return path.ToString();
    }

    /// <summary>The same, with the area below it.</summary>
    public static string Area(IReadOnlyList<double> values, int slots, double highest, double width, double height)
    {
        var line = Line(values, slots, highest, width, height);
        if (line.Length == 0)
        {
            return "";
        }

        var first = Points(values, slots, width).First().X;
        return string.Create(CultureInfo.InvariantCulture, $"{line}L{width:0.#} {height:0.#}L{first:0.#} {height:0.#}Z");
    }

    /// <summary>A round number that is not below any of the values.</summary>
    public static double Ceiling(IEnumerable<double> values, double least = 1)
    {
        var highest = Math.Max(least, values.DefaultIfEmpty(0).Max());
        var power = Math.Pow(10, Math.Floor(Math.Log10(highest)));
        return ((double[])[1, 2, 5, 10]).First(step => step * power >= highest - 1e-9) * power;
    }

    private static IEnumerable<(double X, double Value)> Points(IReadOnlyList<double> values, int slots, double width)
    {
        // The highest of each group, so that a short peak is seen.
        var group = Math.Max(1, (int)Math.Ceiling(slots / (double)MostPoints));

        // Groups are counted from the newest value, so that a point does not wander when another value comes.
        var first = values.Count % group;
        for (var from = first == 0 ? 0 : first - group; from < values.Count; from += group)
        {
            var (begin, last) = (Math.Max(0, from), Math.Min(values.Count, from + group) - 1);
            var highest = values[begin];
            for (var i = begin + 1; i <= last; i++)
            {
                highest = Math.Max(highest, values[i]);
            }

            yield return (slots <= 1 ? width : (slots - values.Count + last) * width / (slots - 1), highest);
        }
    }
}
