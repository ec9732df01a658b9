using System.Reflection;

namespace Fluster.Cluster;

/// <summary>The names of methods as people wrote them, where the compiler made others.</summary>
internal static class MethodDisplay
{
    /// <summary><c>Training.Run</c>; for a lambda the method that it stands in: <c>Program.Main lambda</c>.</summary>
    public static string Of(MethodInfo method)
    {
        // The compiler calls a lambda "<Main>b__0_1" and a local function "<Main>g__Count|0_1"; a program without a Main is "<Main>$".
        var name = method.Name.Replace("<<Main>$>", "<Main>", StringComparison.Ordinal);
        var end = name.IndexOf('>', StringComparison.Ordinal);
        var written = !name.StartsWith('<') || end < 2 ? name
            : name.AsSpan(end).StartsWith(">g__", StringComparison.Ordinal) ? $"{name[1..end]}.{name[(end + 4)..].Split('|')[0]}"
            : $"{name[1..end]} lambda";
        return $"{TypeName(method.DeclaringType)}{written.Replace("$", "", StringComparison.Ordinal)}";
    }

    /// <summary>A name for a job that was given none: lower case, without what a job name cannot have.</summary>
    public static string JobNameOf(MethodInfo method)
    {
        var text = Of(method).Replace(" lambda", "", StringComparison.Ordinal);
        var characters = text.Select(c => char.IsAsciiLetterOrDigit(c) ? char.ToLowerInvariant(c) : '-').ToArray();
        var name = new string(characters).Trim('-');
        name = name.Length > JobName.MaxLength ? name[^JobName.MaxLength..].TrimStart('-') : name;
        return JobName.IsValid(name) ? name : "job";
    }

    private static string TypeName(Type? type)
    {
        while (type is not null && (type.Name.Contains('<', StringComparison.Ordinal) || type.Name.Contains('$', StringComparison.Ordinal)) && type.DeclaringType is not null)
        {
            type = type.DeclaringType;
        }

        return type is null ? "" : $"{type.Name.Split('`')[0]}.";
    }
}
