using System.Security.Cryptography;
using System.Text;

namespace Aspire.Hosting.Dashboard;

/// <summary>
/// Where an AppHost keeps what is to be there after a restart, in the user's own store and for the user alone: its tokens and what its last runs have said.
/// It has the directory for itself while it runs; a second AppHost of the same project gets the next one.
/// </summary>
internal sealed class HostDirectory : IDisposable
{
    private const int MostSlots = 50;
    private const UnixFileMode ForOwner = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly FileStream _lock;

    private HostDirectory(string path, FileStream held) => (Path, _lock) = (path, held);

    public string Path { get; }

    /// <summary>The directory of the AppHost whose project is at this path.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">It cannot be written.</exception>
    public static HostDirectory Open(string home, string projectPath)
    {
        var name = $"{System.IO.Path.GetFileNameWithoutExtension(projectPath)}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(projectPath)))[..8]}";
        for (var slot = 1; slot <= MostSlots; slot++)
        {
            var directory = MakePrivate(System.IO.Path.Combine(home, "apphosts", slot == 1 ? name : $"{name}-{slot}"));
            var file = System.IO.Path.Combine(directory, "lock");
            try
            {
                return new HostDirectory(directory, new FileStream(file, Options(FileMode.OpenOrCreate, FileShare.None)));
            }
            catch (IOException) when (slot < MostSlots && File.Exists(file))
            {
                // Another AppHost has it.
            }
        }

        throw new IOException($"All directories for {name} in '{home}' are in use.");
    }

    public static string MakePrivate(string directory) =>
        (OperatingSystem.IsWindows() ? Directory.CreateDirectory(directory) : Directory.CreateDirectory(directory, ForOwner | UnixFileMode.UserExecute)).FullName;

    /// <summary>How a file is opened that only its owner can read.</summary>
    public static FileStreamOptions Options(FileMode mode, FileShare share)
    {
        var options = new FileStreamOptions { Mode = mode, Access = FileAccess.ReadWrite, Share = share };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = ForOwner;
        }

        return options;
    }

    /// <summary>A random secret that is the same after a restart.</summary>
    public string Secret(string name)
    {
        using var stream = new FileStream(System.IO.Path.Combine(Path, name), Options(FileMode.OpenOrCreate, FileShare.None));
        using var reader = new StreamReader(stream, leaveOpen: true);
        if (reader.ReadToEnd().Trim() is { Length: > 0 } kept)
        {
            return kept;
        }

        var made = NewSecret();
        stream.Write(Encoding.ASCII.GetBytes(made));
        return made;
    }

    public static string NewSecret() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    public void Dispose() => _lock.Dispose();
}
