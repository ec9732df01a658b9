using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

/// <summary>A service that is not part of the application and runs elsewhere.</summary>
public sealed class ExternalServiceResource : Resource
{
    /// <summary>Makes a resource of an absolute address without a path.</summary>
    /// <exception cref="ArgumentException">The address is relative or has a path.</exception>
    public ExternalServiceResource(string name, Uri uri)
        : base(name)
    {
        ArgumentNullException.ThrowIfNull(uri);
        if (WhyNot(uri.OriginalString) is { } reason)
        {
            throw new ArgumentException(reason, nameof(uri));
        }

        Uri = uri;
    }

    /// <summary>Makes a resource whose address is a parameter's value.</summary>
    public ExternalServiceResource(string name, ParameterResource urlParameter)
        : base(name)
    {
        ArgumentNullException.ThrowIfNull(urlParameter);
        UrlParameter = urlParameter;
    }

    /// <summary>The address; null when a parameter has it.</summary>
    public Uri? Uri { get; }

    /// <summary>The parameter that has the address; null when it is known.</summary>
    public ParameterResource? UrlParameter { get; }

    /// <summary>The address, also when a parameter has it.</summary>
    /// <exception cref="DistributedApplicationException">The parameter's value is no such address.</exception>
    internal async ValueTask<Uri> AddressAsync(CancellationToken cancellationToken)
    {
        if (Uri is { } known)
        {
            return known;
        }

        var text = await UrlParameter!.GetValueAsync(cancellationToken);
        return WhyNot(text) is { } reason
            ? throw new DistributedApplicationException($"The parameter '{UrlParameter.Name}' of the external service '{Name}': {reason}")
            : new Uri(text!);
    }

    private static string? WhyNot(string? text) =>
        !Uri.TryCreate(text, UriKind.Absolute, out var uri) ? $"'{text}' is not an absolute address."
        : uri.AbsolutePath != "/" ? $"'{text}' has a path; an external service is named without one."
        : null;
}
