using Microsoft.CodeAnalysis;

namespace Fluster.Actors.Generator;

/// <summary>Types whose values are nothing outside of their process.</summary>
internal static class SendableTypes
{
    private const string Tied = "it belongs to its process";

    private static readonly (string Namespace, string Name, string Why)[] s_not =
    [
        ("System.IO", "Stream", "send its bytes, or a stream of items (IAsyncEnumerable)"),
        ("System.IO", "TextReader", "send its text"),
        ("System.IO", "TextWriter", Tied),
        ("System.Threading.Tasks", "Task", "send its result"),
        ("System.Threading.Tasks", "ValueTask", "send its result"),
        ("System.Threading.Tasks", "ValueTask`1", "send its result"),
        ("System.Threading", "CancellationTokenSource", "take a CancellationToken, which is wired, not sent"),
        ("System.Threading", "CancellationToken", Tied),
        ("System.Threading", "Thread", Tied),
        ("System.Threading", "WaitHandle", Tied),
        ("System.Runtime.InteropServices", "SafeHandle", Tied),
        ("System.Linq.Expressions", "Expression", "code does not travel"),
        ("System.Reflection", "MemberInfo", "send its name"), // also System.Type
        ("System.Reflection", "Assembly", "send its name"),
        ("System", "Delegate", "code does not travel"),
        ("System", "IntPtr", Tied),
        ("System", "UIntPtr", Tied),
        ("System", "IServiceProvider", Tied),
        ("System.Collections.Generic", "IAsyncEnumerable`1", "only a method itself returns a stream of items"),
    ];

    /// <summary>The type that cannot be sent, which may be part of the given one, and why; null when there is none.</summary>
    public static (ITypeSymbol Type, string Why)? Problem(ITypeSymbol type)
    {
        for (var current = type; current is not null; current = current.BaseType)
        {
            foreach (var (space, name, why) in s_not)
            {
                if (TypeNames.Is(current, space, name))
                {
                    return (type, why);
                }
            }
        }

        return type switch
        {
            IArrayTypeSymbol { Rank: > 1 } => (type, "arrays with more than one dimension have no form in JSON"),
            IArrayTypeSymbol array => Problem(array.ElementType),
            IPointerTypeSymbol or IFunctionPointerTypeSymbol => (type, Tied),
            INamedTypeSymbol named => named.TypeArguments.Select(Problem).FirstOrDefault(problem => problem is not null),
            _ => null,
        };
    }
}
