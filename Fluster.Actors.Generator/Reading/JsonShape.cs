using System.Collections.Immutable;
using Microsoft.CodeAnalysis;

namespace Fluster.Actors.Generator;

/// <summary>A class, record or struct as its members: public properties and fields, and the constructor that the serializer would take.</summary>
internal sealed class JsonShape
{
    private const string Serialization = "System.Text.Json";

    private JsonShape(JsonObjectModel model, IReadOnlyList<ITypeSymbol> memberTypes)
    {
        Model = model;
        MemberTypes = memberTypes;
    }

    public JsonObjectModel Model { get; }

    public IReadOnlyList<ITypeSymbol> MemberTypes { get; }

    /// <summary>Null: it is left to the serializer.</summary>
    public static JsonShape? Of(INamedTypeSymbol type, Compilation compilation)
    {
        var isTuple = type.IsTupleType && type.TypeArguments.Length < 8;
        if (type is not { TypeKind: TypeKind.Class or TypeKind.Struct, IsAbstract: false, IsStatic: false, IsRefLikeType: false }
            || IsOfFramework(type) && !isTuple
            || type.AllInterfaces.Any(IsSpecial)
            || HasAttributes(type))
        {
            return null;
        }

        var members = new List<ISymbol>();
        for (var current = type; current is { SpecialType: not (SpecialType.System_Object or SpecialType.System_ValueType) }; current = current.BaseType)
        {
            // The nearest first, of each its properties before its fields: the order in which the serializer writes them.
            if (IsOfFramework(current) && !isTuple || !TryAdd(members, isTuple ? current.TupleUnderlyingType ?? current : current))
            {
                return null;
            }
        }

        var types = members.ConvertAll(TypeOf);
        if (types.Exists(member => !Naming.CanName(compilation, member) || member.IsRefLikeType)
            || members.Exists(HasAttributes)
            || members.Select(member => member.Name).Distinct(StringComparer.OrdinalIgnoreCase).Count() < members.Count)
        {
            return null;
        }

        if (Constructor(type, members) is not { } parameters)
        {
            return null;
        }

        var models = members.Select(member => ToModel(member, parameters)).ToSequence();
        var hasRequired = models.Any(member => member.IsRequired);

        // What is done past the compiler works for types with no parameters only.
        var past = hasRequired || models.Any(member => member.Setter == JsonSetter.Initialize);
        return past && IsGeneric(type)
            ? null
            : new JsonShape(new JsonObjectModel(type.IsValueType, hasRequired, parameters.Select(ToModel).ToSequence(), models), types);
    }

    /// <summary>Whether the serializer is told something about a type, a member or a parameter.</summary>
    public static bool HasAttributes(ISymbol symbol) => symbol.GetAttributes().Any(attribute =>
        attribute.AttributeClass is { } type && (IsIn(type, Serialization) || type.Name == "SetsRequiredMembersAttribute" || IsForbidding(attribute)));

    private static bool IsForbidding(AttributeData attribute) =>
        attribute.AttributeClass!.Name == "ObsoleteAttribute" && attribute.ConstructorArguments is [_, { Value: true }];

    // Collections, messages of protobuf, and what the serializer calls back.
    private static bool IsSpecial(INamedTypeSymbol type) => type.Name is "IEnumerable" or "IAsyncEnumerable" or "IMessage" || IsIn(type, Serialization);

    private static bool IsOfFramework(INamedTypeSymbol type) => IsIn(type, "System") || IsIn(type, "Microsoft") || IsIn(type, "Google");

    private static bool IsIn(INamedTypeSymbol type, string name)
    {
        var space = type.ContainingNamespace.ToDisplayString();
        return space == name || space.StartsWith(name + ".", StringComparison.Ordinal);
    }

    private static bool IsGeneric(INamedTypeSymbol type) => type.IsGenericType || type.ContainingType is { } outer && IsGeneric(outer);

    // False: there is something that the serializer may see otherwise.
    private static bool TryAdd(List<ISymbol> members, INamedTypeSymbol type)
    {
        if (HasAttributes(type))
        {
            return false;
        }

        foreach (var property in type.GetMembers().OfType<IPropertySymbol>().Where(property => !property.IsStatic && !property.IsIndexer && property.ExplicitInterfaceImplementations.IsEmpty))
        {
            if (HasAttributes(property))
            {
                return false; // also one that is not public may ask to be written
            }

            if (property.GetMethod?.DeclaredAccessibility != Accessibility.Public && property.SetMethod?.DeclaredAccessibility != Accessibility.Public)
            {
                continue;
            }

            if (property.RefKind != RefKind.None || IsHalfOverride(property))
            {
                return false;
            }

            if (!members.Exists(nearer => Overrides(nearer, property)))
            {
                members.Add(property);
            }
        }

        foreach (var field in type.GetMembers().OfType<IFieldSymbol>().Where(field => !field.IsStatic && !field.IsConst && !field.IsImplicitlyDeclared || IsTupleElement(field)))
        {
            if (HasAttributes(field))
            {
                return false;
            }

            if (field is { DeclaredAccessibility: Accessibility.Public, AssociatedSymbol: null })
            {
                members.Add(field);
            }
        }

        return true;
    }

    private static bool IsTupleElement(IFieldSymbol field) =>
        field.ContainingType.IsTupleType && field.Name.StartsWith("Item", StringComparison.Ordinal) && !field.IsStatic;

    private static bool IsHalfOverride(IPropertySymbol property) =>
        property.OverriddenProperty is { } overridden && (property.GetMethod is null != overridden.GetMethod is null || property.SetMethod is null != overridden.SetMethod is null);

    private static bool Overrides(ISymbol nearer, IPropertySymbol property)
    {
        for (var current = (nearer as IPropertySymbol)?.OverriddenProperty; current is not null; current = current.OverriddenProperty)
        {
            if (SymbolEqualityComparer.Default.Equals(current, property))
            {
                return true;
            }
        }

        return false;
    }

    private static ITypeSymbol TypeOf(ISymbol member) => member is IPropertySymbol property ? property.Type : ((IFieldSymbol)member).Type;

    // The parameters of the constructor that the serializer takes; null when it takes none that is known here.
    private static ImmutableArray<IParameterSymbol>? Constructor(INamedTypeSymbol type, List<ISymbol> members)
    {
        if (type.InstanceConstructors.Any(HasAttributes))
        {
            return null;
        }

        if (type.IsValueType)
        {
            return []; // A struct is made without arguments, whatever it has.
        }

        var open = type.InstanceConstructors.Where(constructor => constructor.DeclaredAccessibility == Accessibility.Public).ToList();
        if (open.Exists(constructor => constructor.Parameters.IsEmpty))
        {
            return [];
        }

        return open is [{ Parameters.Length: <= 64 } only] && only.Parameters.All(parameter => IsBound(parameter, members)) ? only.Parameters : null;
    }

    private static bool IsBound(IParameterSymbol parameter, List<ISymbol> members) =>
        parameter.RefKind == RefKind.None && !HasAttributes(parameter) && members.Exists(member => IsSame(parameter, member));

    private static bool IsSame(IParameterSymbol parameter, ISymbol member) =>
        string.Equals(parameter.Name, member.Name, StringComparison.OrdinalIgnoreCase) && SymbolEqualityComparer.Default.Equals(parameter.Type, TypeOf(member));

    private static JsonParameterModel ToModel(IParameterSymbol parameter) => new(parameter.Name, TypeNames.Plain(parameter.Type), DefaultValues.Of(parameter));

    private static JsonMemberModel ToModel(ISymbol member, ImmutableArray<IParameterSymbol> parameters)
    {
        var type = TypeNames.Plain(TypeOf(member));
        var owner = TypeNames.Plain(member.ContainingType);
        if (member is IFieldSymbol field)
        {
            return new JsonMemberModel(field.Name, type, owner, IsProperty: false, HasGetter: true, field.IsReadOnly ? JsonSetter.None : JsonSetter.Assign, field.IsRequired);
        }

        var property = (IPropertySymbol)member;
        var setter = property.SetMethod is not { DeclaredAccessibility: Accessibility.Public } set ? JsonSetter.None
            : !set.IsInitOnly ? JsonSetter.Assign
            : parameters.Any(parameter => IsSame(parameter, member)) ? JsonSetter.None // the constructor does it
            : JsonSetter.Initialize;
        return new JsonMemberModel(
            property.Name, type, owner, IsProperty: true, property.GetMethod is { DeclaredAccessibility: Accessibility.Public }, setter, property.IsRequired);
    }
}
