using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Running;

namespace Aspire.Hosting.Dashboard;

/// <summary>What the sources of lines are called: a resource with one process by its name, which is the same in every run.</summary>
internal sealed class SourceNames(DistributedApplicationModel model)
{
    public string Of(string source)
    {
        for (var i = 0; i < model.Resources.Count; i++)
        {
            if (model.Resources[i].InstanceIds() is [var id] && string.Equals(id, source, StringComparison.OrdinalIgnoreCase))
            {
                return model.Resources[i].Name;
            }
        }

        return source;
    }
}
