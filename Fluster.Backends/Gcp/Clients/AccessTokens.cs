using System.Net;
using Google.Apis.Auth.OAuth2;
using Google.Apis.Auth.OAuth2.Responses;

namespace Fluster.Backends;

/// <summary>Where the token comes from that goes with every request to Google.</summary>
internal interface IAccessTokenSource
{
    /// <summary>A token that counts now.</summary>
    /// <param name="isRefused">Whether Google has just refused the last one: another one is needed.</param>
    /// <param name="cancellationToken">Stops the wait.</param>
    /// <exception cref="GcpApiException">There is none.</exception>
    ValueTask<string> GetAsync(bool isRefused, CancellationToken cancellationToken);
}

/// <summary>The same token always, for the emulator.</summary>
internal sealed class FixedAccessToken(string token) : IAccessTokenSource
{
    public ValueTask<string> GetAsync(bool isRefused, CancellationToken cancellationToken) => ValueTask.FromResult(token);
}

/// <summary>
/// Google's application default credentials: those of the machine that this runs on, else what <c>GOOGLE_APPLICATION_CREDENTIALS</c> names, else the user's of
/// <c>gcloud auth application-default login</c>. The library keeps tokens and renews them early.
/// </summary>
internal sealed class GoogleAccessToken : IAccessTokenSource
{
    private const string Scope = "https://www.googleapis.com/auth/cloud-platform";

    private volatile GoogleCredential? _credential;

    public async ValueTask<string> GetAsync(bool isRefused, CancellationToken cancellationToken)
    {
        try
        {
            var credential = _credential ??= (await GoogleCredential.GetApplicationDefaultAsync(cancellationToken)).CreateScoped(Scope);
            if (isRefused && credential.UnderlyingCredential is ServiceCredential service)
            {
                await service.RequestAccessTokenAsync(cancellationToken);
            }

            return await ((ITokenAccess)credential).GetAccessTokenForRequestAsync(authUri: null, cancellationToken);
        }
        catch (InvalidOperationException exception)
        {
            throw new GcpApiException("credentialsMissing", $"There are no Google credentials: run 'gcloud auth application-default login', or run on a machine with a service account. {exception.Message}", exception)
            {
                Status = HttpStatusCode.Unauthorized,
            };
        }
        catch (TokenResponseException exception)
        {
            throw new GcpApiException("credentialsRefused", $"Google gives no token for the credentials: {exception.Message}", exception) { Status = HttpStatusCode.Unauthorized };
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            throw new GcpApiException("backendError", $"Google's token service was not reached: {exception.Message}", exception);
        }
    }
}
