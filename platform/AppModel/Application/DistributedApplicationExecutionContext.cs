namespace Aspire.Hosting;

/// <summary>What an AppHost was started for.</summary>
public enum DistributedApplicationOperation
{
    /// <summary>Run the application here.</summary>
    Run = 0,

    /// <summary>Write down how to deploy it.</summary>
    Publish = 1,
}

/// <summary>How an execution context is made.</summary>
public class DistributedApplicationExecutionContextOptions
{
    /// <summary>Makes options.</summary>
    public DistributedApplicationExecutionContextOptions(DistributedApplicationOperation operation) => Operation = operation;

    /// <summary>Makes options.</summary>
    public DistributedApplicationExecutionContextOptions(DistributedApplicationOperation operation, string publisherName)
        : this(operation) => PublisherName = publisherName;

    /// <summary>What the AppHost was started for.</summary>
    public DistributedApplicationOperation Operation { get; }

    /// <summary>What writes down how to deploy it; null where nothing does.</summary>
    public string? PublisherName { get; }

    /// <summary>The services, once the application is built.</summary>
    public IServiceProvider? ServiceProvider { get; set; }
}

/// <summary>What an AppHost was started for, and its services.</summary>
public class DistributedApplicationExecutionContext
{
    private readonly DistributedApplicationExecutionContextOptions _options;

    /// <summary>Makes a context.</summary>
    public DistributedApplicationExecutionContext(DistributedApplicationExecutionContextOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        PublisherName = options.PublisherName ?? "";
    }

    /// <summary>Makes a context without services.</summary>
    public DistributedApplicationExecutionContext(DistributedApplicationOperation operation)
        : this(new DistributedApplicationExecutionContextOptions(operation))
    {
    }

    /// <summary>Makes a context without services.</summary>
    public DistributedApplicationExecutionContext(DistributedApplicationOperation operation, string publisherName)
        : this(new DistributedApplicationExecutionContextOptions(operation, publisherName))
    {
    }

    /// <summary>What writes down how to deploy the application; empty where nothing does.</summary>
    public string PublisherName { get; set; }

    /// <summary>What the AppHost was started for.</summary>
    public DistributedApplicationOperation Operation => _options.Operation;

    /// <summary>Whether the application runs here.</summary>
    public bool IsRunMode => Operation == DistributedApplicationOperation.Run;

    /// <summary>Whether the AppHost writes down how to deploy the application.</summary>
    public bool IsPublishMode => Operation == DistributedApplicationOperation.Publish;

    /// <summary>The AppHost's services.</summary>
    /// <exception cref="InvalidOperationException">The application is not built yet.</exception>
    public IServiceProvider Services => _options.ServiceProvider
        ?? throw new InvalidOperationException("The services are available only after the application was built.");
}
