using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A text with values in it that are known once the application runs.</summary>
public class ReferenceExpression : IExpressionValue, IValueWithReferences
{
    /// <summary>The empty text.</summary>
    public static readonly ReferenceExpression Empty = new("", []);

    private readonly IReadOnlyList<object> _values;

    internal ReferenceExpression(string format, IReadOnlyList<object> values)
    {
        Format = format;
        _values = values;
    }

    /// <summary>The text with <c>{0}</c>, <c>{1}</c>… where the values go.</summary>
    public string Format { get; }

    /// <summary>The values.</summary>
    public IReadOnlyList<IValueProvider> ValueProviders => [.. _values.Cast<IValueProvider>()];

    /// <summary>How a manifest refers to the values.</summary>
    public IReadOnlyList<string> ManifestExpressions => [.. _values.Cast<IManifestExpressionProvider>().Select(value => value.ValueExpression)];

    /// <summary>The text as a manifest has it.</summary>
    public string ValueExpression => string.Format(CultureInfo.InvariantCulture, Format, [.. ManifestExpressions]);

    IEnumerable<object> IValueWithReferences.References => _values;

    /// <summary>Makes an expression of an interpolated string.</summary>
    public static ReferenceExpression Create(in ExpressionInterpolatedStringHandler handler) => handler.Build();

    /// <summary>The text; null when one of the values is.</summary>
    public async ValueTask<string?> GetValueAsync(CancellationToken cancellationToken)
    {
        var values = new object?[_values.Count];
        for (var i = 0; i < values.Length; i++)
        {
            if (await ((IValueProvider)_values[i]).GetValueAsync(cancellationToken) is not { } value)
            {
                return null;
            }

            values[i] = value;
        }

        return string.Format(CultureInfo.InvariantCulture, Format, values);
    }

    /// <summary>Collects the parts of an interpolated string.</summary>
    [InterpolatedStringHandler]
    public ref struct ExpressionInterpolatedStringHandler
    {
        private readonly ExpressionParts _parts;

        /// <summary>Called by the compiler.</summary>
        public ExpressionInterpolatedStringHandler(int literalLength, int formattedCount) => _parts = new ExpressionParts(literalLength, formattedCount);

        /// <summary>Adds text.</summary>
        public readonly void AppendLiteral(string value) => _parts.AddText(value);

        /// <summary>Adds text.</summary>
        public readonly void AppendFormatted(string? value) => _parts.AddText(value);

        /// <summary>Adds a value.</summary>
        public void AppendFormatted<T>(T valueProvider)
            where T : IValueProvider, IManifestExpressionProvider => _parts.AddValue(valueProvider);

        /// <summary>Adds a resource that is a value.</summary>
        public void AppendFormatted<T>(IResourceBuilder<T> valueProvider)
            where T : IResource, IValueProvider, IManifestExpressionProvider => _parts.AddValue(valueProvider.Resource);

        internal readonly ReferenceExpression Build() => _parts.Build();
    }
}

/// <summary>Makes an expression piece by piece.</summary>
public class ReferenceExpressionBuilder
{
    private readonly ExpressionParts _parts = new(literalLength: 0, formattedCount: 0);

    /// <summary>Whether nothing was added yet.</summary>
    public bool IsEmpty => _parts.IsEmpty;

#pragma warning disable CA1822 // An instance method in the original: the handler takes this builder from the call.
    /// <summary>Adds an interpolated string.</summary>
    public void Append([InterpolatedStringHandlerArgument("")] in ReferenceExpressionBuilderInterpolatedStringHandler handler)
    {
        // The handler has written into this builder already.
    }
#pragma warning restore CA1822

    /// <summary>Adds text.</summary>
    public void AppendLiteral(string value) => _parts.AddText(value);

    /// <summary>Adds text.</summary>
    public void AppendFormatted(string? value) => _parts.AddText(value);

    /// <summary>Adds a value.</summary>
    public void AppendFormatted<T>(T valueProvider)
        where T : IValueProvider, IManifestExpressionProvider => _parts.AddValue(valueProvider);

    /// <summary>Makes the expression.</summary>
    public ReferenceExpression Build() => _parts.Build();

    /// <summary>Collects the parts of an interpolated string.</summary>
    [InterpolatedStringHandler]
    public ref struct ReferenceExpressionBuilderInterpolatedStringHandler
    {
        private readonly ReferenceExpressionBuilder _builder;

        /// <summary>Called by the compiler.</summary>
        public ReferenceExpressionBuilderInterpolatedStringHandler(int literalLength, int formattedCount, ReferenceExpressionBuilder builder) => _builder = builder;

        /// <summary>Adds text.</summary>
        public readonly void AppendLiteral(string value) => _builder.AppendLiteral(value);

        /// <summary>Adds text.</summary>
        public readonly void AppendFormatted(string? value) => _builder.AppendFormatted(value);

        /// <summary>Adds a value.</summary>
        public void AppendFormatted<T>(T valueProvider)
            where T : IValueProvider, IManifestExpressionProvider => _builder.AppendFormatted(valueProvider);

        /// <summary>Adds a resource that is a value.</summary>
        public void AppendFormatted<T>(IResourceBuilder<T> valueProvider)
            where T : IResource, IValueProvider, IManifestExpressionProvider => _builder.AppendFormatted(valueProvider.Resource);
    }
}

/// <summary>The pieces of an expression so far.</summary>
internal sealed class ExpressionParts(int literalLength, int formattedCount)
{
    private readonly StringBuilder _format = new(literalLength + (3 * formattedCount));
    private readonly List<object> _values = new(formattedCount);

    public bool IsEmpty => _format.Length == 0;

    public void AddText(string? text) =>
        _format.Append(text?.Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal));

    public void AddValue<T>(T value)
        where T : IValueProvider, IManifestExpressionProvider
    {
        _format.Append(CultureInfo.InvariantCulture, $"{{{_values.Count}}}");
        _values.Add(value);
    }

    public ReferenceExpression Build() => new(_format.ToString(), [.. _values]);
}
