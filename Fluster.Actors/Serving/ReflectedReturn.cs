namespace Fluster.Actors;

/// <summary>Gives a call what its method returned, by the method's return type.</summary>
internal abstract class ReflectedReturn
{
    public static bool IsStream(Type type) => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IAsyncEnumerable<>);

    /// <summary>The type of what a caller gets: without the task around it.</summary>
    public static Type ValueOf(Type type)
    {
        if (type == typeof(Task) || type == typeof(ValueTask))
        {
            return typeof(void);
        }

        var kind = type.IsGenericType ? type.GetGenericTypeDefinition() : null;
        return kind == typeof(Task<>) || kind == typeof(ValueTask<>) ? type.GetGenericArguments()[0] : type;
    }

    public static ReflectedReturn Of(Type type)
    {
        if (type == typeof(void))
        {
            return new OfVoid();
        }

        if (type == typeof(Task) || type == typeof(ValueTask))
        {
            return new OfTask();
        }

        var kind = type.IsGenericType ? type.GetGenericTypeDefinition() : null;
        var (result, value) =
            kind == typeof(Task<>) ? (typeof(OfTask<>), type.GetGenericArguments()[0])
            : kind == typeof(ValueTask<>) ? (typeof(OfValueTask<>), type.GetGenericArguments()[0])
            : kind == typeof(IAsyncEnumerable<>) ? (typeof(OfStream<>), type.GetGenericArguments()[0])
            : (typeof(OfValue<>), type);
        return (ReflectedReturn)Activator.CreateInstance(result.MakeGenericType(value))!;
    }

    public abstract ValueTask Give(object? returned, ActorServerCall call);

    private sealed class OfVoid : ReflectedReturn
    {
        public override ValueTask Give(object? returned, ActorServerCall call) => call.Return();
    }

    private sealed class OfTask : ReflectedReturn
    {
        public override ValueTask Give(object? returned, ActorServerCall call) => returned is ValueTask task ? call.ReturnAsync(task) : call.ReturnAsync((Task)returned!);
    }

    private sealed class OfValue<T> : ReflectedReturn
    {
        public override ValueTask Give(object? returned, ActorServerCall call) => call.Return((T)returned!, ActorCodec.For<T>());
    }

    private sealed class OfTask<T> : ReflectedReturn
    {
        public override ValueTask Give(object? returned, ActorServerCall call) => call.ReturnAsync((Task<T>)returned!, ActorCodec.For<T>());
    }

    private sealed class OfValueTask<T> : ReflectedReturn
    {
        public override ValueTask Give(object? returned, ActorServerCall call) => call.ReturnAsync((ValueTask<T>)returned!, ActorCodec.For<T>());
    }

    private sealed class OfStream<T> : ReflectedReturn
    {
        public override ValueTask Give(object? returned, ActorServerCall call) => call.ReturnStreamAsync((IAsyncEnumerable<T>)returned!, ActorCodec.For<T>());
    }
}
