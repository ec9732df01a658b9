using System.Reflection;
using System.Text.Json;

namespace Fluster.JobHost;

/// <summary>
/// Starts a .NET job: <c>dotnet exec --depsfile APP.deps.json --runtimeconfig APP.runtimeconfig.json Fluster.JobHost.dll APP.dll CALL OUTCOME</c>.
/// Everything that a job needs of Fluster is in the library that the job brings with it; all that this program and that library
/// of whatever version agree on is one static method.
/// </summary>
internal static class Program
{
    private const int Fault = 125;

    private static int Main(string[] args)
    {
        if (args.Length != 3)
        {
            Console.Error.WriteLine("usage: dotnet exec --depsfile APP.deps.json --runtimeconfig APP.runtimeconfig.json Fluster.JobHost.dll APP.dll CALL OUTCOME");
            return Fault;
        }

        Func<string, string, string, int> run;
        try
        {
            run = Entry();
        }
        catch (Exception exception) when (exception is FileNotFoundException or FileLoadException or BadImageFormatException or TypeLoadException or MissingMethodException or ArgumentException)
        {
            WriteFault(args[2], $"The bundle of {Path.GetFileName(args[0])} has no usable Fluster.Cluster: {exception.Message}");
            return Fault;
        }

        // The job has ended when its method has, whatever threads it left running.
        Environment.Exit(run(args[0], args[1], args[2]));
        return 0;
    }

    private static Func<string, string, string, int> Entry()
    {
        // A name that needs no parsing: what parses one is not compiled yet when a process starts.
        var type = Assembly.Load(new AssemblyName { Name = "Fluster.Cluster" }).GetType("Fluster.Cluster.JobEntry", throwOnError: true)!;
        var run = type.GetMethod("Run", BindingFlags.Public | BindingFlags.Static, [typeof(string), typeof(string), typeof(string)])
            ?? throw new MissingMethodException("Fluster.Cluster.JobEntry", "Run");
        return run.CreateDelegate<Func<string, string, string, int>>();
    }

    private static void WriteFault(string directory, string message)
    {
        var path = Path.Combine(directory, "fault.json");
        File.WriteAllText(path + ".tmp", $$"""{"message":"{{JsonEncodedText.Encode(message)}}"}""");
        File.Move(path + ".tmp", path, overwrite: true);
    }
}
