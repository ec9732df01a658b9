using System.Text.Json;

namespace Fluster.Actors;

/// <summary>Waits for what a method returned and writes it as JSON, by the method's return type.</summary>
internal abstract class ActorResult
{
    /// <summary>The JSON of a method that returns nothing.</summary>
    private const string Nothing = "null";

    public abstract Task<string> WriteAsync(object? returned);

    /// <summary>Whether results of this type can be sent: not references into memory, not streams of items.</summary>
    public static bool CanTravel(Type type) =>
        !type.IsByRef && !type.IsPointer && !type.IsByRefLike
        && !(type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IAsyncEnumerable<>));

    public static ActorResult Of(Type type)
    {
        if (type == typeof(void) || type == typeof(Task) || type == typeof(ValueTask))
        {
            return new OfNothing();
        }

        var kind = type.IsGenericType ? type.GetGenericTypeDefinition() : null;
        var (result, value) =
            kind == typeof(Task<>) ? (typeof(OfTask<>), type.GetGenericArguments()[0])
            : kind == typeof(ValueTask<>) ? (typeof(OfValueTask<>), type.GetGenericArguments()[0])
            : (typeof(OfValue<>), type);
        return (ActorResult)Activator.CreateInstance(result.MakeGenericType(value))!;
    }

    private static string Write<T>(T value)
    {
        try
        {
            return JsonSerializer.Serialize(value, ActorJson.Options);
        }
        catch (Exception exception) when (exception is JsonException or NotSupportedException)
        {
            throw new UnwritableResultException($"The result, a {typeof(T).Name}, cannot be written as JSON: {exception.Message}", exception);
        }
    }

    private sealed class OfNothing : ActorResult
    {
        public override async Task<string> WriteAsync(object? returned)
        {
            switch (returned)
            {
                case Task task:
                    await task.ConfigureAwait(false);
                    break;
                case ValueTask task:
                    await task.ConfigureAwait(false);
                    break;
            }

            return Nothing;
        }
    }

    private sealed class OfValue<T> : ActorResult
    {
        public override Task<string> WriteAsync(object? returned) => Task.FromResult(Write((T)returned!));
    }

    private sealed class OfTask<T> : ActorResult
    {
        public override async Task<string> WriteAsync(object? returned) => Write(await ((Task<T>)returned!).ConfigureAwait(false));
    }

    private sealed class OfValueTask<T> : ActorResult
    {
        public override async Task<string> WriteAsync(object? returned) => Write(await ((ValueTask<T>)returned!).ConfigureAwait(false));
    }
}

/// <summary>A method returned what cannot be written as JSON.</summary>
internal sealed class UnwritableResultException(string message, Exception innerException) : Exception(message, innerException);
