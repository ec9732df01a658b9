using System.Text;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;
using Microsoft.CodeAnalysis;

namespace Fluster.Actors.Generator;

/// <summary>What the documentation comment of a method says in its summary.</summary>
internal static class Summaries
{
    private static readonly Regex s_spaces = new(@"\s+", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1));

    public static string Of(IMethodSymbol method, CancellationToken cancellationToken)
    {
        var own = Parse(XmlOf(method, cancellationToken));
        if (own?.Element("summary") is { } summary)
        {
            return TextOf(summary);
        }

        // Nothing, or that it is inherited: from what it overrides, or from the interface.
        var origin = method.OverriddenMethod ?? Implemented(method);
        return origin is null ? "" : Of(origin, cancellationToken);
    }

    private static IMethodSymbol? Implemented(IMethodSymbol method) => method.ContainingType.TypeKind == TypeKind.Interface
        ? null
        : method.ContainingType.AllInterfaces.SelectMany(one => one.GetMembers(method.Name)).OfType<IMethodSymbol>()
            .FirstOrDefault(member => SymbolEqualityComparer.Default.Equals(method.ContainingType.FindImplementationForInterfaceMember(member), method));

    private static string XmlOf(IMethodSymbol method, CancellationToken cancellationToken)
    {
        var xml = method.GetDocumentationCommentXml(cancellationToken: cancellationToken);
        if (!string.IsNullOrEmpty(xml))
        {
            return xml!;
        }

        // A program that is built without a documentation file has its comments only as text.
        var text = new StringBuilder();
        foreach (var reference in method.DeclaringSyntaxReferences)
        {
            foreach (var trivia in reference.GetSyntax(cancellationToken).GetLeadingTrivia())
            {
                var line = trivia.ToString().TrimStart();
                if (line.StartsWith("///", StringComparison.Ordinal))
                {
                    text.Append(line.Substring(3)).Append('\n');
                }
            }
        }

        return text.Length == 0 ? "" : $"<member>{text}</member>";
    }

    private static XElement? Parse(string xml)
    {
        try
        {
            return xml.Length == 0 ? null : XElement.Parse(xml);
        }
        catch (XmlException)
        {
            return null; // The compiler says so itself.
        }
    }

    private static string TextOf(XElement summary)
    {
        foreach (var element in summary.Descendants().ToList())
        {
            var named = (string?)element.Attribute("langword") ?? (string?)element.Attribute("name") ?? (string?)element.Attribute("cref");
            if (named is not null && element.IsEmpty)
            {
                // T:Some.Type, or Some.Type: its last name.
                element.ReplaceWith(named.Split('(')[0].Split('.', ':').Last());
            }
        }

        return s_spaces.Replace(summary.Value, " ").Trim();
    }
}
