using System.Security.Cryptography;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>Makes passwords from a cryptographic source, without letters that look alike.</summary>
internal static class PasswordGenerator
{
    private const string Lower = "abcdefghjkmnpqrstuvwxyz";
    private const string Upper = "ABCDEFGHJKMNPQRSTUVWXYZ";
    private const string Numeric = "0123456789";
    private const string Special = "-_.{}~()*+!"; // None needs quoting in a URI, a connection string or a shell's double quotes.

    public static string Make(GenerateParameterDefault wish)
    {
        (bool Allowed, string Characters, int Least)[] classes =
        [
            (wish.Lower, Lower, wish.MinLower),
            (wish.Upper, Upper, wish.MinUpper),
            (wish.Numeric, Numeric, wish.MinNumeric),
            (wish.Special, Special, wish.MinSpecial),
        ];
        if (Array.Exists(classes, c => !c.Allowed && c.Least > 0) || !Array.Exists(classes, c => c.Allowed))
        {
            throw new ArgumentException("A password needs an allowed kind of character for everything it must contain.", nameof(wish));
        }

        var all = string.Concat(classes.Where(c => c.Allowed).Select(c => c.Characters));
        var required = classes.SelectMany(c => RandomNumberGenerator.GetItems<char>(c.Characters, c.Least)).ToArray();
        var rest = RandomNumberGenerator.GetItems<char>(all, Math.Max(0, wish.MinLength - required.Length));
        char[] password = [.. required, .. rest];
        RandomNumberGenerator.Shuffle<char>(password);
        return new string(password);
    }
}
