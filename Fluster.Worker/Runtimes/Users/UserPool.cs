using System.Globalization;
using System.Runtime.Versioning;
using System.Text;

namespace Fluster.Worker;

/// <summary>No user of the range is free.</summary>
internal sealed class UsersExhaustedException(string message) : Exception(message);

/// <summary>The user of one attempt. Disposing gives it back: nothing of it may be left by then.</summary>
internal sealed class UserLease(uint user, FileStream held) : IDisposable
{
    /// <summary>The number of the user, and of the group that has no other member.</summary>
    public uint User { get; } = user;

    public void Dispose()
    {
        if (held.CanWrite)
        {
            held.SetLength(0); // a sweep of the ward is not to look for it any more
            held.Dispose();
        }
    }
}

/// <summary>
/// Gives every attempt a user of its own, which no two workers of the host use at a time: each is held by a lock file that all of them share and
/// that names the ward, so that whoever clears up after a worker knows whose processes to look for.
/// </summary>
/// <param name="range">Where to take them from.</param>
/// <param name="taken">Those of somebody else.</param>
/// <param name="ward">Whose attempts they are for.</param>
/// <param name="lockDirectory">Shared by all workers of the host, and writable for root alone: what is in it says who is killed.</param>
[SupportedOSPlatform("linux")]
internal sealed class UserPool(UserRange range, IReadOnlyList<UserRange> taken, Ward ward, string lockDirectory)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly byte[] _ward = Encoding.ASCII.GetBytes(ward.Id);

    /// <summary>The directory that the workers of this host share.</summary>
    public const string DefaultLockDirectory = "/run/fluster/users";

    /// <summary>A user for an attempt. Fences grow, so a user that was given back rests while all others have their turn, also when the worker starts again.</summary>
    /// <exception cref="UsersExhaustedException">None is free.</exception>
    public UserLease Take(Fence fence)
    {
        Directory.CreateDirectory(lockDirectory, OwnerOnly | UnixFileMode.UserExecute);
        for (var tried = 0u; tried < range.Count; tried++)
        {
            var user = range.First + (uint)((fence.Value + tried) % range.Count);
            if (!taken.Any(others => others.Contains(user)) && TryLock(user) is { } held)
            {
                return new UserLease(user, held);
            }
        }

        throw new UsersExhaustedException($"No user is free in {range.First}-{range.Last} ({WorkerOptions.Section}:{nameof(WorkerOptions.UidRange)}).");
    }

    /// <summary>The users that the attempts of a ward have, or had when its worker died.</summary>
    public static IReadOnlySet<uint> Of(string ward, string lockDirectory)
    {
        var users = new HashSet<uint>();
        if (!Directory.Exists(lockDirectory))
        {
            return users;
        }

        // A file per user that was ever given: those of no ward are empty, and told apart without being opened.
        foreach (var file in new DirectoryInfo(lockDirectory).EnumerateFiles())
        {
            if (file.Length == ward.Length && uint.TryParse(file.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var user) && Names(file.FullName, ward))
            {
                users.Add(user);
            }
        }

        return users;
    }

    /// <summary>Nothing of a ward is left: its users are free.</summary>
    public static void Clear(IEnumerable<uint> users, string ward, string lockDirectory)
    {
        foreach (var user in users)
        {
            try
            {
                using var file = new FileStream(Path.Combine(lockDirectory, user.ToString(CultureInfo.InvariantCulture)), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
                if (TextOf(file, ward.Length) == ward)
                {
                    file.SetLength(0);
                }
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // Another worker has it by now.
            }
        }
    }

    private FileStream? TryLock(uint user)
    {
        try
        {
            // The lock goes with the process; what is written stays, and is of a run that is swept before the next one starts.
            var held = new FileStream(Path.Combine(lockDirectory, user.ToString(CultureInfo.InvariantCulture)), new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.ReadWrite,
                Share = FileShare.None,
                BufferSize = 0,
                UnixCreateMode = OwnerOnly,
            });
            if (held.Length > 0 && ProcessTable.OfUsers(ProcessTable.Read(), new HashSet<uint> { user }).Any())
            {
                held.Dispose(); // its worker died, and what it left is not gone yet
                return null;
            }

            held.SetLength(0);
            held.Write(_ward);
            return held;
        }
        catch (IOException)
        {
            return null; // another worker has it
        }
    }

    private static bool Names(string path, string ward)
    {
        try
        {
            using var file = File.Open(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return TextOf(file, ward.Length) == ward;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false; // a worker that lives has it
        }
    }

    private static string TextOf(FileStream file, int length)
    {
        var content = new byte[length + 1];
        return Encoding.ASCII.GetString(content, 0, file.ReadAtLeast(content, content.Length, throwOnEndOfStream: false));
    }
}
