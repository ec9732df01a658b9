using System.Text;
using Microsoft.Extensions.Options;

namespace Fluster.Controller;

/// <summary>The cluster's key and the first admin token, in the data directory unless the key is given.</summary>
internal static class KeyFiles
{
    private const string KeyFile = "cluster-key.pem";
    private const string TokenFile = "admin.token";

    /// <summary>The key that was given, else the one of the data directory, made at the first start (0600).</summary>
    /// <exception cref="StoreException">The one of the data directory cannot be read.</exception>
    public static ClusterKey Load(DataDirectory directory, string? given)
    {
        if (!string.IsNullOrEmpty(given))
        {
            return ClusterKey.Parse(given);
        }

        var path = Path.Combine(directory.FullPath, KeyFile);
        if (File.Exists(path))
        {
            try
            {
                return ClusterKey.Parse(File.ReadAllText(path));
            }
            catch (FormatException exception)
            {
                throw new StoreException($"'{path}' is damaged: {exception.Message}", exception);
            }
        }

        var key = ClusterKey.Create();
        DurableFile.Write(path, Encoding.ASCII.GetBytes(key.ExportPrivatePem()), secret: true);
        return key;
    }

    /// <summary>Whoever made the key himself can sign tokens; for others, one of the role admin is written at every start (0600).</summary>
    public static void WriteAdminToken(IServiceProvider services)
    {
        if (string.IsNullOrEmpty(services.GetRequiredService<IOptions<ControllerOptions>>().Value.ClusterKey))
        {
            var path = Path.Combine(services.GetRequiredService<OpenedCluster>().Directory.FullPath, TokenFile);
            DurableFile.Write(path, Encoding.ASCII.GetBytes(services.GetRequiredService<TokenIssuer>().ForAdmin()), secret: true);
        }
    }
}
