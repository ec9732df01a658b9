using System.Globalization;
using Aspire.Hosting.ApplicationModel;

namespace Fluster.Hosting;

/// <summary>
/// A backend of a cluster: where it gets machines from when its workers are not enough. What is not set has the controller's default; what
/// is wrong keeps the controller from starting, with the setting's path in the message.
/// </summary>
public sealed class FlusterBackend
{
    private readonly Dictionary<string, object> _settings = new(StringComparer.OrdinalIgnoreCase);

    internal FlusterBackend(string kind) => this["Kind"] = kind;

    /// <summary>What it is called in messages. Default: its kind; two of a kind need names.</summary>
    public string? Name
    {
        get => Text(nameof(Name));
        set => Set(nameof(Name), value);
    }

    /// <summary>Machines that are always there. Default: 0.</summary>
    public int? Min
    {
        get => Number(nameof(Min));
        set => Set(nameof(Min), value?.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>Machines that there may be. Default: 10.</summary>
    public int? Max
    {
        get => Number(nameof(Max));
        set => Set(nameof(Max), value?.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>How long a machine may do nothing before it is released. Default: 5 minutes.</summary>
    public TimeSpan? Idle
    {
        get => Text(nameof(Idle)) is { } text ? TimeSpan.Parse(text, CultureInfo.InvariantCulture) : null;
        set => Set(nameof(Idle), value?.ToString("c", CultureInfo.InvariantCulture));
    }

    /// <summary>
    /// Any other setting of <c>Fluster:Controller:Backends</c>, by its name in the configuration: <c>Image</c>, <c>Cpu</c>, <c>Project</c>,
    /// <c>Volumes:0</c>. A text, or what the application knows once it runs: a parameter, a reference expression.
    /// </summary>
    public object this[string setting]
    {
        get => _settings[setting];
        set
        {
            ArgumentException.ThrowIfNullOrEmpty(setting);
            ArgumentNullException.ThrowIfNull(value);
            _settings[setting] = value is IResourceBuilder<ParameterResource> parameter ? parameter.Resource : value;
        }
    }

    /// <summary>Whether its machines are processes or containers of this machine, which are to be gone when the application is.</summary>
    internal bool IsOfThisMachine => Text("Kind") is "local" or "docker";

    internal IEnumerable<KeyValuePair<string, object>> Settings => _settings;

    internal bool Has(string setting) => _settings.ContainsKey(setting);

    private string? Text(string setting) => _settings.GetValueOrDefault(setting) as string;

    private int? Number(string setting) => Text(setting) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;

    private void Set(string setting, string? value)
    {
        if (value is null)
        {
            _settings.Remove(setting);
        }
        else
        {
            _settings[setting] = value;
        }
    }
}
