#pragma warning disable MA0182, IDE0130 // The compiler uses them, where records and list patterns are; the framework that analyzers are built for lacks them.

namespace System
{
    internal readonly struct Index(int value, bool fromEnd = false)
    {
        public int GetOffset(int length) => fromEnd ? length - value : value;
    }
}

namespace System.Runtime.CompilerServices
{
    internal static class IsExternalInit;
}
