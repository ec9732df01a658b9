namespace AppModel.Pages;

/// <summary>A line of a console.</summary>
public sealed record ConsoleLine(DateTimeOffset At, string Source, string Text, bool IsError);

/// <summary>A choice of a list.</summary>
public sealed record ConsoleChoice(string Value, string Text);
