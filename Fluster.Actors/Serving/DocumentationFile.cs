using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;

namespace Fluster.Actors;

/// <summary>
/// What the compiler wrote beside an assembly about its methods, for actors that no dispatcher was generated for. Read when somebody asks, once
/// for an assembly; where there is no file, or none that can be read, methods have no documentation.
/// </summary>
internal static class DocumentationFile
{
    private const string MethodId = "M:";

    private static readonly ConditionalWeakTable<Assembly, Dictionary<string, string>> s_summaries = [];
    private static readonly Regex s_spaces = new(@"\s+", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1));

    /// <summary>The summary of a method, or of what it overrides or implements; empty when there is none.</summary>
    public static string SummaryOf(MethodInfo method)
    {
        for (var next = method; ; next = Overridden(next)!)
        {
            if (Own(next) is { } summary)
            {
                return summary;
            }

            if (Overridden(next) is null)
            {
                return Implemented(method).Select(Own).FirstOrDefault(found => found is not null) ?? "";
            }
        }
    }

    private static string? Own(MethodInfo method) =>
        s_summaries.GetValue(method.Module.Assembly, Read).GetValueOrDefault(DocumentationId.Of(method));

    private static MethodInfo? Overridden(MethodInfo method) => method.GetBaseDefinition() is var root && root.DeclaringType == method.DeclaringType
        ? null
        : method.DeclaringType!.BaseType?.GetMethod(method.Name, BindingFlags.Public | BindingFlags.Instance, [.. method.GetParameters().Select(parameter => parameter.ParameterType)]);

    private static IEnumerable<MethodInfo> Implemented(MethodInfo method)
    {
        if (method.ReflectedType is not { IsInterface: false } type)
        {
            yield break;
        }

        foreach (var contract in type.GetInterfaces())
        {
            var map = type.GetInterfaceMap(contract);
            for (var i = 0; i < map.TargetMethods.Length; i++)
            {
                if (map.TargetMethods[i].MetadataToken == method.MetadataToken && map.TargetMethods[i].Module == method.Module)
                {
                    yield return map.InterfaceMethods[i];
                }
            }
        }
    }

    private static Dictionary<string, string> Read(Assembly assembly)
    {
        var summaries = new Dictionary<string, string>(StringComparer.Ordinal);
        if (assembly.IsDynamic || assembly.Location.Length == 0)
        {
            return summaries;
        }

        try
        {
            using var reader = XmlReader.Create(Path.ChangeExtension(assembly.Location, ".xml"));
            foreach (var member in XDocument.Load(reader).Descendants("member"))
            {
                if ((string?)member.Attribute("name") is { } name && name.StartsWith(MethodId, StringComparison.Ordinal) && member.Element("summary") is { } summary)
                {
                    summaries[name] = TextOf(summary);
                }
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or XmlException)
        {
            summaries.Clear(); // it tells nothing, or not all of it
        }

        return summaries;
    }

    // The same words as the generator makes of a comment.
    private static string TextOf(XElement summary)
    {
        foreach (var element in summary.Descendants().ToList())
        {
            var named = (string?)element.Attribute("langword") ?? (string?)element.Attribute("name") ?? (string?)element.Attribute("cref");
            if (named is not null && element.IsEmpty)
            {
                element.ReplaceWith(named.Split('(')[0].Split('.', ':')[^1]);
            }
        }

        return s_spaces.Replace(summary.Value, " ").Trim();
    }
}
