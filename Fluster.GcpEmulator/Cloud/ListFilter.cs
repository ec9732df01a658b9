using System.Buffers;
using System.Text;

namespace Fluster.GcpEmulator;

/// <summary>
/// A list's filter (AIP-160), as far as clients use it: <c>=</c>, <c>!=</c>, <c>:</c> (with <c>*</c>: is there), AND, OR, NOT and parentheses, on name, status, zone and labels.
/// </summary>
internal sealed class ListFilter
{
    private static readonly SearchValues<char> s_ends = SearchValues.Create(" ()=:!\"");

    private readonly IReadOnlyList<string> _tokens;
    private readonly ComputeInstance _instance;
    private int _next;

    private ListFilter(IReadOnlyList<string> tokens, ComputeInstance instance) => (_tokens, _instance) = (tokens, instance);

    private string? Token => _next < _tokens.Count ? _tokens[_next] : null;

    /// <exception cref="EmulatorException">The filter cannot be read.</exception>
    public static bool Matches(string? filter, ComputeInstance instance)
    {
        if (string.IsNullOrWhiteSpace(filter))
        {
            return true;
        }

        var reading = new ListFilter(Split(filter), instance);
        var matches = reading.Or();
        return reading.Token is null ? matches : throw Bad(filter);
    }

    private bool Or()
    {
        var result = And();
        while (Token == "OR")
        {
            _next++;
            result |= And();
        }

        return result;
    }

    private bool And()
    {
        var result = Not();
        while (Token is not (null or ")" or "OR"))
        {
            if (Token == "AND")
            {
                _next++; // without it, too: two terms side by side mean both
            }

            result &= Not();
        }

        return result;
    }

    private bool Not()
    {
        if (Token is "NOT" or "-")
        {
            _next++;
            return !Not();
        }

        if (Token != "(")
        {
            return Comparison();
        }

        _next++;
        var result = Or();
        return Take() == ")" ? result : throw Bad(string.Join(' ', _tokens));
    }

    private bool Comparison()
    {
        var (field, operation, wanted) = (Take(), Take(), Take());
        var found = Field(field);
        return operation switch
        {
            "=" => found == wanted,
            "!=" => found != wanted,
            ":" when wanted == "*" => found is not null,
            ":" => found?.Contains(wanted, StringComparison.Ordinal) == true,
            _ => throw Bad(operation),
        };
    }

    private string? Field(string name) => name switch
    {
        "name" => _instance.Name,
        "status" => _instance.Status,
        "zone" => GcpNames.LastPart(_instance.Zone),
        _ when name.StartsWith("labels.", StringComparison.Ordinal) => _instance.Labels?.GetValueOrDefault(name["labels.".Length..]),
        _ => throw Bad(name),
    };

    private string Take() => Token is { } token ? _tokens[_next++] : throw Bad(string.Join(' ', _tokens));

    private static List<string> Split(string filter)
    {
        var tokens = new List<string>();
        for (var index = 0; index < filter.Length;)
        {
            switch (filter[index])
            {
                case ' ':
                    index++;
                    break;
                case '(' or ')' or '=' or ':' or '-':
                    tokens.Add(filter[index++].ToString());
                    break;
                case '!' when index + 1 < filter.Length && filter[index + 1] == '=':
                    tokens.Add("!=");
                    index += 2;
                    break;
                case '"':
                    var text = new StringBuilder();
                    for (index++; index < filter.Length && filter[index] != '"'; index++)
                    {
                        text.Append(filter[index] == '\\' && index + 1 < filter.Length ? filter[++index] : filter[index]);
                    }

                    tokens.Add(index++ < filter.Length ? text.ToString() : throw Bad(filter));
                    break;
                default:
                    var end = filter.AsSpan(index).IndexOfAny(s_ends);
                    end = end < 0 ? filter.Length : index + end;
                    tokens.Add(end > index ? filter[index..end] : throw Bad(filter));
                    index = end;
                    break;
            }
        }

        return tokens;
    }

    private static EmulatorException Bad(string what) => EmulatorException.Invalid("filter", what, "Invalid list filter expression.");
}
