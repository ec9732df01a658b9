using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;

namespace Fluster.Cluster;

/// <summary>
/// Finds which captured variables a lambda uses. All lambdas of one scope share one closure object, so that a closure also holds
/// what only other lambdas use: a client, an open file. Those variables stay behind. Only code that the compiler made can
/// name a closure's fields, so that reading the lambda and what the compiler made for it finds every use.
/// </summary>
internal static class CaptureScan
{
    private const BindingFlags AnyMember = BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;

    private static readonly FrozenDictionary<short, OpCode> s_opCodes = typeof(OpCodes)
        .GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!)
        .ToFrozenDictionary(code => code.Value);

    private static readonly ConcurrentDictionary<MethodInfo, IReadOnlySet<int>?> s_found = new();

    /// <summary>The closure fields that the method uses, as tokens of its module; null when that cannot be told and all have to travel.</summary>
    public static IReadOnlySet<int>? UsedFields(MethodInfo method) => s_found.GetOrAdd(method, static key => Find(key));

    private static HashSet<int>? Find(MethodInfo method)
    {
        var used = new HashSet<int>();
        var seen = new HashSet<MethodBase>();
        var pending = new Stack<MethodBase>([method]);
        try
        {
            while (pending.TryPop(out var next))
            {
                if (seen.Add(next))
                {
                    Scan(next, method.Module, used, pending);
                }
            }

            return used;
        }
        catch (Exception exception) when (exception is ArgumentException or BadImageFormatException or NotSupportedException or TypeLoadException or FileNotFoundException)
        {
            return null;
        }
    }

    private static void Scan(MethodBase method, Module module, HashSet<int> used, Stack<MethodBase> pending)
    {
        // An async lambda's body is the MoveNext of a class or struct that the compiler made for it.
        if (method.GetCustomAttribute<StateMachineAttribute>() is { } machine)
        {
            pending.Push(machine.StateMachineType.GetMethod("MoveNext", AnyMember)!);
        }

        var (typeArguments, methodArguments) = (method.DeclaringType?.GetGenericArguments(), method.IsGenericMethod ? method.GetGenericArguments() : null);
        foreach (var (operand, token) in Tokens(method.GetMethodBody()?.GetILAsByteArray() ?? []))
        {
            if (operand == OperandType.InlineField || operand == OperandType.InlineTok && token >>> 24 == 0x04)
            {
                var field = module.ResolveField(token, typeArguments, methodArguments);
                if (field?.DeclaringType is { } owner && ClosureShape.IsClosure(owner) && !field.IsStatic)
                {
                    used.Add(field.MetadataToken);
                }
            }
            else if (operand == OperandType.InlineMethod)
            {
                var called = module.ResolveMethod(token, typeArguments, methodArguments);
                if (called is not null && called.Module == module && IsMadeByCompiler(called))
                {
                    pending.Push(called);
                }
            }
        }
    }

    private static bool IsMadeByCompiler(MethodBase method) =>
        method.Name.StartsWith('<') || method.DeclaringType is { } type && type.Name.StartsWith('<');

    private static IEnumerable<(OperandType Operand, int Token)> Tokens(byte[] code)
    {
        for (var at = 0; at < code.Length;)
        {
            var value = (short)(code[at] == 0xFE ? 0xFE00 | code[at + 1] : code[at]);
            at += code[at] == 0xFE ? 2 : 1;
            var operand = s_opCodes[value].OperandType;
            if (operand is OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok)
            {
                yield return (operand, BinaryPrimitives.ReadInt32LittleEndian(code.AsSpan(at)));
            }

            at += operand switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                OperandType.InlineVar => 2,
                OperandType.InlineI8 or OperandType.InlineR => 8,
                OperandType.InlineSwitch => 4 + 4 * BinaryPrimitives.ReadInt32LittleEndian(code.AsSpan(at)),
                _ => 4,
            };
        }
    }
}
