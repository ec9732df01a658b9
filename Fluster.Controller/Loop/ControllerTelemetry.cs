using System.Diagnostics;

namespace Fluster.Controller;

/// <summary>Where the controller's spans come from.</summary>
internal static class ControllerTelemetry
{
    public static readonly ActivitySource Source = new("Fluster.Controller");
}
