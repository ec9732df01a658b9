namespace Fluster.GcpEmulator;

/// <summary>One way in which the next requests fail.</summary>
internal sealed record FailNext
{
    /// <summary>Which requests: this method; empty for any.</summary>
    public string Method { get; init; } = "";

    /// <summary>And this text in their path; empty for any.</summary>
    public string Path { get; init; } = "";

    public int Count { get; init; } = 1;

    /// <summary>See the usage.</summary>
    public string Mode { get; init; } = "status";

    public int Status { get; init; } = 503;

    public string Reason { get; init; } = "backendError";

    public string Message { get; init; } = "Emulated failure.";

    /// <summary>Of the operation's error.</summary>
    public string Code { get; init; } = "INTERNAL_ERROR";

    /// <summary>Of the operation's error on Cloud TPU.</summary>
    public int RpcCode { get; init; } = 13;

    public int? RetryAfterSeconds { get; init; }

    public EmulatorException ToException() => new(Status, Reason, Message) { RetryAfterSeconds = RetryAfterSeconds };
}

/// <summary>No machines in a zone.</summary>
/// <param name="Zone">Where.</param>
/// <param name="Shape">Only of this shape; empty for any.</param>
/// <param name="IsQueue">Slices wait for capacity instead of failing.</param>
internal sealed record Stockout(string Zone, string Shape, bool IsQueue);

/// <summary>What goes wrong on purpose. Guarded by the cloud's lock.</summary>
internal sealed class Faults
{
    private readonly List<FailNext> _next = [];
    private readonly List<Stockout> _stockouts = [];
    private readonly HashSet<string> _refusedTokens = new(StringComparer.Ordinal);
    private int _tooMany;
    private int _tooManyStatus;
    private int? _tooManyWait;

    /// <summary>The most of a metric in a place. A region, a zone or, for metrics of the project, "global".</summary>
    public Dictionary<(string Metric, string Where), long> Quotas { get; } = [];

    public HashSet<string> Unreachable { get; } = new(StringComparer.Ordinal);

    public int MostPerPage { get; set; } = 500;

    public TimeSpan RequestLatency { get; set; }

    /// <summary>How many requests were made to fail so far.</summary>
    public int Taken { get; private set; }

    public void Add(FailNext failure) => _next.Add(failure);

    public void TooMany(int count, int status, int? retryAfterSeconds) => (_tooMany, _tooManyStatus, _tooManyWait) = (count, status, retryAfterSeconds);

    public void Set(Stockout stockout, bool isCleared)
    {
        _stockouts.RemoveAll(known => known.Zone == stockout.Zone && known.Shape == stockout.Shape);
        if (!isCleared)
        {
            _stockouts.Add(stockout);
        }
    }

    public void RefuseToken(string token) => _refusedTokens.Add(token);

    public bool IsRefused(string token) => _refusedTokens.Contains(token);

    public Stockout? StockoutFor(string zone, string shape) => _stockouts.FirstOrDefault(stockout => stockout.Zone == zone && (stockout.Shape.Length == 0 || stockout.Shape == shape));

    /// <summary>Whether this request is one too many.</summary>
    public EmulatorException? TakeTooMany()
    {
        if (_tooMany == 0)
        {
            return null;
        }

        _tooMany--;
        Taken++;
        return new EmulatorException(_tooManyStatus, "rateLimitExceeded", "Rate Limit Exceeded") { Domain = "usageLimits", RetryAfterSeconds = _tooManyWait };
    }

    /// <summary>The failure that this request is to have; null for none.</summary>
    public FailNext? Take(string method, string path)
    {
        var index = _next.FindIndex(failure => (failure.Method.Length == 0 || failure.Method == method) && path.Contains(failure.Path, StringComparison.Ordinal));
        if (index < 0)
        {
            return null;
        }

        Taken++;
        var taken = _next[index];
        if (taken.Count > 1)
        {
            _next[index] = taken with { Count = taken.Count - 1 };
        }
        else
        {
            _next.RemoveAt(index);
        }

        return taken;
    }

    public void Clear()
    {
        _next.Clear();
        _stockouts.Clear();
        _refusedTokens.Clear();
        Quotas.Clear();
        Unreachable.Clear();
        (_tooMany, Taken, MostPerPage, RequestLatency) = (0, 0, 500, TimeSpan.Zero);
    }
}
