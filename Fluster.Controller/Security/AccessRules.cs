using System.Collections.Frozen;

namespace Fluster.Controller;

/// <summary>Who may call what. What is not in this table is refused to everybody.</summary>
internal static class AccessRules
{
    private const string Service = "/fluster.cluster.v1.ControllerService/";

    private static readonly string[] s_users = [TokenRoles.Admin, TokenRoles.Service, TokenRoles.Job];
    private static readonly string[] s_everybody = [TokenRoles.Admin, TokenRoles.Service, TokenRoles.Job, TokenRoles.Worker];
    private static readonly string[] s_operators = [TokenRoles.Admin, TokenRoles.Service];
    private static readonly string[] s_workers = [TokenRoles.Worker];
    private static readonly string[] s_jobs = [TokenRoles.Job];
    private static readonly string[] s_admins = [TokenRoles.Admin];

    private static readonly FrozenDictionary<string, string[]> s_roles = new Dictionary<string, string[]>(StringComparer.Ordinal)
    {
        [Service + "LaunchJob"] = s_users,
        [Service + "GetJobStatus"] = s_users,
        [Service + "WatchJob"] = s_users,
        [Service + "WaitJobs"] = s_users,
        [Service + "TerminateJob"] = s_users,
        [Service + "ListJobs"] = s_users,
        [Service + "GetResult"] = s_users,
        [Service + "StreamLogs"] = s_users,
        [Service + "ExplainJob"] = s_users,
        [Service + "GetJobTrace"] = s_users,
        [Service + "HasBlobs"] = s_everybody,
        [Service + "UploadBlobs"] = s_everybody,
        [Service + "GetBlob"] = s_everybody,
        [Service + "WorkerLink"] = s_workers,
        [Service + "WorkerLogs"] = s_workers,
        [Service + "ReportSpans"] = s_workers,
        [Service + "ListWorkers"] = s_operators,
        [Service + "DrainWorker"] = s_admins,
        [Service + "ListVms"] = s_operators,
        [Service + "RegisterEndpoint"] = s_users,
        [Service + "UnregisterEndpoint"] = s_users,
        [Service + "LookupEndpoints"] = s_users,
        [Service + "ListEndpoints"] = s_users,
        [Service + "OpenRegistration"] = s_operators,
        [Service + "WatchEndpoints"] = s_users,
        [Service + "GetClusterStatus"] = s_users,
        [Service + "ListActions"] = s_users,
        [Service + "RenewToken"] = s_jobs,
        [Service + "RevokeNamespace"] = s_admins,
        [Service + "AdoptWorkers"] = s_admins,
        [Service + "CreateLoginCode"] = s_operators,
        ["/grpc.health.v1.Health/Watch"] = s_everybody,
        ["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"] = s_operators,
        ["/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"] = s_operators,
        [WorkerArchive.Path] = s_workers,
        ["/"] = s_operators,
        ["/jobs"] = s_operators,
        ["/job"] = s_operators,
        ["/job/log"] = s_operators,
        ["/job/stop"] = s_operators,
        ["/workers"] = s_operators,
        ["/worker"] = s_operators,
        ["/worker/drain"] = s_admins,
        ["/vms"] = s_operators,
        ["/endpoints"] = s_operators,
        ["/endpoint"] = s_operators,
        ["/endpoint/call"] = s_operators,
        ["/actions"] = s_operators,
        ["/logout"] = s_operators,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>What may be asked without a token: whether the process lives, in one word; and the way to the pages, without what they show.</summary>
    public static bool IsOpen(string method, string path) => path switch
    {
        "/alive" or "/health" => HttpMethods.IsGet(method),
        "/login" => HttpMethods.IsGet(method) || HttpMethods.IsPost(method),
        _ when path.StartsWith(DashboardAssets.Prefix, StringComparison.Ordinal) => HttpMethods.IsGet(method),
        "/grpc.health.v1.Health/Check" => true,
        _ => false,
    };

    /// <summary>Whether a role may call a path.</summary>
    public static bool Allows(string path, string role) => s_roles.TryGetValue(path, out var roles) && roles.Contains(role, StringComparer.Ordinal);

    /// <summary>Whether a path is for people: a browser's cookie opens it, and who has none is sent to the login.</summary>
    public static bool IsPage(string path) => Knows(path) && !path.AsSpan(1).Contains('.') && path != WorkerArchive.Path;

    /// <summary>Whether a path needs more than a machine's own token, which others may come by: it is there to be exchanged.</summary>
    public static bool NeedsCredential(string path) => path is Service + "HasBlobs" or Service + "UploadBlobs" or Service + "GetBlob";

    /// <summary>Whether anybody may call a path: one that nobody may is not there.</summary>
    public static bool Knows(string path) => s_roles.ContainsKey(path);

    /// <summary>The paths that somebody may call.</summary>
    public static IEnumerable<string> Paths => s_roles.Keys;
}
