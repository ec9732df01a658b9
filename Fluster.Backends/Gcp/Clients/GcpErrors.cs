using System.Net;

namespace Fluster.Backends;

/// <summary>What kinds of errors there are, whatever the way in which they came.</summary>
internal static class GcpErrors
{
    private const int RpcPermissionDenied = 7;
    private const int RpcResourceExhausted = 8;
    private const int RpcFailedPrecondition = 9;
    private const int RpcInvalidArgument = 3;
    private const int RpcInternal = 13;
    private const int RpcUnavailable = 14;
    private const int RpcAborted = 10;
    private const int RpcDeadlineExceeded = 4;

    extension(GcpApiException error)
    {
        /// <summary>No machines left there. Google says so in many words.</summary>
        public bool IsStockout =>
            error.Mentions("ZONE_RESOURCE_POOL_EXHAUSTED") || error.Code is "insufficientCapacity" or "INSUFFICIENT_CAPACITY"
            || error.Mentions("does not have enough resources available") || error.Mentions("no more capacity in the zone") || error.Mentions("Insufficient reserved capacity");

        /// <summary>The project may not have more.</summary>
        public bool IsQuota =>
            !error.IsStockout && (error.Code is "quotaExceeded" or "QUOTA_EXCEEDED" || error.Details.Contains(GcpApiException.QuotaFailure)
                || error.IsExhausted && (error.Mentions("Quota '") || error.Mentions("Quota limit '")));

        /// <summary>Too many requests.</summary>
        public bool IsRateLimit =>
            !error.IsStockout && !error.IsQuota
            && (error.Status == HttpStatusCode.TooManyRequests || error.Code is "rateLimitExceeded" or "userRateLimitExceeded" or "RESOURCE_OPERATION_RATE_EXCEEDED"
                || error.Details.Contains("CONCURRENT_OPERATIONS_QUOTA_EXCEEDED") || error.Details.Contains("RATE_LIMIT_EXCEEDED") || error.RpcCode == RpcResourceExhausted);

        /// <summary>The cloud took the machine away while it was being made.</summary>
        public bool IsPreempted =>
            error.Code is "UNSUPPORTED_OPERATION" || error.RpcCode is RpcInvalidArgument or RpcFailedPrecondition && error.Mentions("in state PREEMPTED");

        /// <summary>The account may not.</summary>
        public bool IsPermission =>
            error.Status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden && !error.IsRateLimit && !error.IsQuota
            || error.RpcCode == RpcPermissionDenied || error.Code is "PERMISSION_DENIED" or "PERMISSIONS_ERROR" || error.Mentions("is not found or access is unauthorized");

        /// <summary>There is something of the name already.</summary>
        public bool IsAlreadyExists => error.Status == HttpStatusCode.Conflict || error.Code is "alreadyExists" or "RESOURCE_ALREADY_EXISTS" or "ALREADY_EXISTS" || error.RpcCode == 6;

        /// <summary>Somebody else changed it in between.</summary>
        public bool IsConflict => error.Status == HttpStatusCode.PreconditionFailed;

        /// <summary>It is being stopped, made or changed, and cannot be done now.</summary>
        public bool IsNotReady => error.Code is "resourceNotReady" or "RESOURCE_NOT_READY" or "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE" or "FAILED_PRECONDITION" || error.Mentions("unable to queue the operation");

        /// <summary>The same later may succeed, and nothing is known of what was done.</summary>
        public bool IsTransient =>
            !error.IsStockout && (error.IsUnanswered || (int?)error.Status >= 500 || error.Status == HttpStatusCode.RequestTimeout
                || error.RpcCode is RpcInternal or RpcUnavailable or RpcAborted or RpcDeadlineExceeded || error.Code is "INTERNAL_ERROR" or "backendError" or "internalError");

        /// <summary>Whether the request may still be under way: it had no answer, or one that says nothing.</summary>
        public bool LeavesOpen => error.IsUnanswered || (int?)error.Status >= 500;

        /// <summary>The request makes no sense.</summary>
        public bool IsInvalid =>
            error.Status is HttpStatusCode.BadRequest or HttpStatusCode.MethodNotAllowed or HttpStatusCode.RequestEntityTooLarge || error.Code is "invalid" or "INVALID_FIELD_VALUE" or "INVALID_ARGUMENT" || error.RpcCode == RpcInvalidArgument;

        private bool IsExhausted => error.Status is HttpStatusCode.TooManyRequests or HttpStatusCode.Forbidden || error.RpcCode == RpcResourceExhausted || error.Code == "RESOURCE_EXHAUSTED";

        /// <summary>Whether it says so anywhere, in any case.</summary>
        public bool Mentions(string words) =>
            error.Code.Contains(words, StringComparison.OrdinalIgnoreCase) || error.Message.Contains(words, StringComparison.OrdinalIgnoreCase)
            || error.Details.Any(detail => detail.Contains(words, StringComparison.OrdinalIgnoreCase));
    }
}
