using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;

namespace Aspire.Hosting;

/// <summary>Adds parameters.</summary>
public static class ParameterResourceBuilderExtensions
{
    private const string Section = "Parameters";

    /// <summary>Adds a parameter whose value is in the configuration: <c>Parameters:{name}</c>.</summary>
    public static IResourceBuilder<ParameterResource> AddParameter(this IDistributedApplicationBuilder builder, [ResourceName] string name, bool secret = false) =>
        builder.Add(name, $"{Section}:{name}", secret);

    /// <summary>Adds a parameter whose value is in the configuration under another key.</summary>
    public static IResourceBuilder<ParameterResource> AddParameterFromConfiguration(
        this IDistributedApplicationBuilder builder, [ResourceName] string name, string configurationKey, bool secret = false) =>
        builder.Add(name, configurationKey, secret);

    /// <summary>Adds a parameter with a value.</summary>
    public static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder, [ResourceName] string name, string value, bool publishValueAsDefault = false, bool secret = false)
    {
        ArgumentNullException.ThrowIfNull(value);
        return builder.AddParameter(name, () => value, publishValueAsDefault, secret);
    }

    /// <summary>Adds a parameter whose value is asked for when it is first needed.</summary>
    public static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder, [ResourceName] string name, Func<string> valueGetter, bool publishValueAsDefault = false, bool secret = false)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(valueGetter);
        return builder.AddResource(new ParameterResource(name, _ => valueGetter(), secret) { IsValuePublished = publishValueAsDefault });
    }

    /// <summary>Adds a parameter whose value is in the configuration, or is made up.</summary>
    public static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder, [ResourceName] string name, ParameterDefault value, bool secret = false, bool persist = false)
    {
        var parameter = builder.Add(name, $"{Section}:{name}", secret);
        parameter.Resource.Default = value;
        return parameter;
    }

    /// <summary>Adds a connection string that is in the configuration: <c>ConnectionStrings:{name}</c>.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="name">The resource's name.</param>
    /// <param name="environmentVariableName">The variable in which others get it. Default: <c>ConnectionStrings__{name}</c>.</param>
    public static IResourceBuilder<IResourceWithConnectionString> AddConnectionString(
        this IDistributedApplicationBuilder builder, [ResourceName] string name, string? environmentVariableName = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.AddResource(new ConnectionStringParameterResource(
            name,
            () => builder.Configuration.GetConnectionString(name) ?? throw new MissingParameterValueException(
                $"The connection string '{name}' has no value. Set 'ConnectionStrings:{name}' in the AppHost's appsettings.json, by --ConnectionStrings:{name}=VALUE, or in the environment as ConnectionStrings__{name}."),
            environmentVariableName));
    }

    /// <summary>Makes a parameter, which is not added, whose value is in the configuration or a password that is made up.</summary>
    public static ParameterResource CreateDefaultPasswordParameter(
        IDistributedApplicationBuilder builder,
        string name,
        bool lower = true,
        bool upper = true,
        bool numeric = true,
        bool special = true,
        int minLower = 0,
        int minUpper = 0,
        int minNumeric = 0,
        int minSpecial = 0)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var parameter = FromConfiguration(builder.Configuration, name, $"{Section}:{name}", secret: true);
        parameter.Default = new GenerateParameterDefault
        {
            Lower = lower,
            Upper = upper,
            Numeric = numeric,
            Special = special,
            MinLower = minLower,
            MinUpper = minUpper,
            MinNumeric = minNumeric,
            MinSpecial = minSpecial,
        };
        return parameter;
    }

    private static IResourceBuilder<ParameterResource> Add(this IDistributedApplicationBuilder builder, string name, string key, bool secret)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.AddResource(FromConfiguration(builder.Configuration, name, key, secret));
    }

    private static ParameterResource FromConfiguration(ConfigurationManager configuration, string name, string key, bool secret) => new(
        name,
        standIn => configuration[key] ?? standIn?.GetDefaultValue() ?? throw new MissingParameterValueException(
            $"The parameter '{name}' has no value. Set '{key}' in the AppHost's appsettings.json, by --{key}=VALUE, " +
            $"or in the environment as {key.Replace(":", "__", StringComparison.Ordinal)}."),
        secret);
}
