using System.Reflection;

namespace Fluster.Cluster;

/// <summary>What a method gives back, once it was awaited.</summary>
internal static class InvocationResult
{
    /// <summary>The most bytes that a result can have.</summary>
    private const int MaxBytes = 16 << 20;

    /// <summary>The type of the result: <c>int</c> for <c>int</c>, <c>Task&lt;int&gt;</c> and <c>ValueTask&lt;int&gt;</c>; null when there is none.</summary>
    public static Type? TypeOf(MethodInfo method)
    {
        var type = method.ReturnType;
        if (type == typeof(void) || type == typeof(Task) || type == typeof(ValueTask))
        {
            return null;
        }

        return type.IsGenericType && type.GetGenericTypeDefinition() is var definition && (definition == typeof(Task<>) || definition == typeof(ValueTask<>))
            ? type.GetGenericArguments()[0]
            : type;
    }

    /// <summary>Waits for what an invoked method returned.</summary>
    public static object? Await(object? returned)
    {
        switch (returned)
        {
            case Task task:
                task.GetAwaiter().GetResult();
                var type = task.GetType();
                return type.IsGenericType ? type.GetProperty("Result")!.GetValue(task) : null;
            case ValueTask task:
                task.AsTask().GetAwaiter().GetResult();
                return null;
            case not null when returned.GetType() is { IsGenericType: true } generic && generic.GetGenericTypeDefinition() == typeof(ValueTask<>):
                return Await(generic.GetMethod("AsTask")!.Invoke(returned, null));
            default:
                return returned;
        }
    }

    /// <summary>What a method returned, as it travels.</summary>
    /// <exception cref="NotSupportedException">It cannot travel, or there is too much of it; the message says what.</exception>
    public static byte[] Write(object? result, Type type, string display)
    {
        if (TravelCheck.Find(result, type) is { } problem)
        {
            throw new NotSupportedException(problem.Describe("result of", display));
        }

        var bytes = PayloadJson.Write(result, type);
        return bytes.Length <= MaxBytes ? bytes : throw new NotSupportedException(
            $"The result of {display} has {bytes.Length:N0} bytes as JSON, and {MaxBytes:N0} (16 MiB) can travel. Write it to a file or a store, and return where it is.");
    }
}
