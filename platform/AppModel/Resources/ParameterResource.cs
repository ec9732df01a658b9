using Aspire.Hosting.Publishing;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A value that comes from outside: from the configuration section Parameters, or made up when it is missing.</summary>
public class ParameterResource : Resource, IExpressionValue
{
    private readonly Lazy<string> _value;

    /// <summary>Makes a parameter. <paramref name="callback"/> is asked once, when the value is first needed.</summary>
    public ParameterResource(string name, Func<ParameterDefault?, string> callback, bool secret = false)
        : base(name)
    {
        ArgumentNullException.ThrowIfNull(callback);
        Secret = secret;
        // A missing value may be there next time: failures are not remembered.
        _value = new Lazy<string>(() => callback(Default), LazyThreadSafetyMode.PublicationOnly);
    }

    /// <summary>What the value is when nobody gives one.</summary>
    public ParameterDefault? Default { get; set; }

    /// <summary>Whether the value must not be shown.</summary>
    public bool Secret { get; }

    /// <summary>How a manifest refers to the value.</summary>
    public string ValueExpression => $"{{{Name}.value}}";

    internal string Value => _value.Value;

    /// <summary>Whether a manifest says the value, for deployments that are given none.</summary>
    internal bool IsValuePublished { get; init; }

    /// <summary>The value.</summary>
    /// <exception cref="MissingParameterValueException">Nobody gave one.</exception>
    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken) => new(Value);
}

/// <summary>What a parameter is when nobody gives a value.</summary>
public abstract class ParameterDefault
{
    /// <summary>Makes the value.</summary>
    public abstract string GetDefaultValue();

    /// <summary>Writes into a manifest how a deployment makes the value.</summary>
    public abstract void WriteToManifest(ManifestPublishingContext context);
}

/// <summary>Makes up a password.</summary>
public sealed class GenerateParameterDefault : ParameterDefault
{
    /// <summary>How many characters at least. Default: 22.</summary>
    public int MinLength { get; set; } = 22;

    /// <summary>Whether there are lower case letters. Default: true.</summary>
    public bool Lower { get; set; } = true;

    /// <summary>Whether there are upper case letters. Default: true.</summary>
    public bool Upper { get; set; } = true;

    /// <summary>Whether there are digits. Default: true.</summary>
    public bool Numeric { get; set; } = true;

    /// <summary>Whether there are special characters. Default: true.</summary>
    public bool Special { get; set; } = true;

    /// <summary>How many lower case letters at least. Default: 0.</summary>
    public int MinLower { get; set; }

    /// <summary>How many upper case letters at least. Default: 0.</summary>
    public int MinUpper { get; set; }

    /// <summary>How many digits at least. Default: 0.</summary>
    public int MinNumeric { get; set; }

    /// <summary>How many special characters at least. Default: 0.</summary>
    public int MinSpecial { get; set; }

    /// <inheritdoc/>
    public override string GetDefaultValue() => PasswordGenerator.Make(this);

    /// <inheritdoc/>
    public override void WriteToManifest(ManifestPublishingContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var writer = context.Writer;
        writer.WriteStartObject("generate");
        writer.WriteNumber("minLength", MinLength);
        foreach (var (name, wanted) in (ReadOnlySpan<(string, bool)>)[("lower", Lower), ("upper", Upper), ("numeric", Numeric), ("special", Special)])
        {
            if (!wanted)
            {
                writer.WriteBoolean(name, value: false);
            }
        }

        foreach (var (name, least) in (ReadOnlySpan<(string, int)>)[("minLower", MinLower), ("minUpper", MinUpper), ("minNumeric", MinNumeric), ("minSpecial", MinSpecial)])
        {
            if (least > 0)
            {
                writer.WriteNumber(name, least);
            }
        }

        writer.WriteEndObject();
    }
}
