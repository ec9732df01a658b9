namespace Aspire.Hosting.ApplicationModel;

/// <summary>Marks a parameter that takes the name of something in the model.</summary>
public interface IModelNameParameter
{
}

/// <summary>Marks a parameter that takes a resource's name.</summary>
[AttributeUsage(AttributeTargets.Parameter, AllowMultiple = false)]
public sealed class ResourceNameAttribute : Attribute, IModelNameParameter
{
}

/// <summary>Marks a parameter that takes an endpoint's name.</summary>
[AttributeUsage(AttributeTargets.Parameter, AllowMultiple = false)]
public sealed class EndpointNameAttribute : Attribute, IModelNameParameter
{
}

/// <summary>What may be a name: 1 to 64 ASCII letters, digits and single hyphens, a letter first, no hyphen last.</summary>
internal static class ModelName
{
    private const int MostCharacters = 64;

    public static void Validate(string what, string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        var problem = name switch
        {
            { Length: > MostCharacters } => $"Name must be between 1 and {MostCharacters} characters long.",
            _ when !name.All(c => char.IsAsciiLetterOrDigit(c) || c == '-') => "Name must contain only ASCII letters, digits, and hyphens.",
            _ when !char.IsAsciiLetter(name[0]) => "Name must start with an ASCII letter.",
            _ when name[^1] == '-' => "Name cannot end with a hyphen.",
            _ when name.Contains("--", StringComparison.Ordinal) => "Name cannot contain consecutive hyphens.",
            _ => null,
        };
        if (problem is not null)
        {
            throw new ArgumentException($"{what} name '{name}' is invalid. {problem}", nameof(name));
        }
    }
}
