using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Fluster.Actors.Generator;

/// <summary>The default values of parameters, in code.</summary>
internal static class DefaultValues
{
    /// <summary>Null: the parameter has none.</summary>
    public static string? Of(IParameterSymbol parameter)
    {
        if (!parameter.HasExplicitDefaultValue)
        {
            return null;
        }

        var type = TypeNames.Plain(parameter.Type);
        return parameter.ExplicitDefaultValue switch
        {
            null => $"default({type})",
            DateTime time => $"new global::System.DateTime({time.Ticks.ToString(CultureInfo.InvariantCulture)}L)",
            decimal number => $"({type})({number.ToString(CultureInfo.InvariantCulture)}m)",
            double number => $"({type})({Double(number)})",
            float number => $"({type})({Double(number)})",
            var value => $"({type})({SymbolDisplay.FormatPrimitive(value, quoteStrings: true, useHexadecimalNumbers: false)})",
        };
    }

    private static string Double(double number) =>
        double.IsNaN(number) ? "double.NaN"
        : double.IsPositiveInfinity(number) ? "double.PositiveInfinity"
        : double.IsNegativeInfinity(number) ? "double.NegativeInfinity"
        : number.ToString("R", CultureInfo.InvariantCulture) + "d";
}
