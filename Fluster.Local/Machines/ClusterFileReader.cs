using System.Globalization;
using System.Text.Json;
using Fluster.Backends;
using Fluster.Controller;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fluster.Local;

/// <summary>
/// Checks a file of a cluster in two steps: whether its settings are there and of the right type, and then whether the controller would take them, by the controller's own rules, whose
/// paths lead back to lines.
/// </summary>
internal sealed class ClusterFileReader(string path)
{
    private static readonly string s_section = $"{ControllerOptions.Section}:{nameof(ControllerOptions.Backends)}:";

    private static readonly Dictionary<string, SettingKind> s_top = new(StringComparer.OrdinalIgnoreCase)
    {
        [nameof(ClusterFile.AdvertiseHost)] = SettingKind.Text,
        [nameof(ClusterFile.GrpcPort)] = SettingKind.Whole,
        [nameof(ClusterFile.HttpPort)] = SettingKind.Whole,
        [nameof(ClusterFile.WorkerDirectory)] = SettingKind.Text,
        [nameof(ClusterFile.VmOrphanTimeout)] = SettingKind.Duration,
    };

    private static readonly Dictionary<string, Dictionary<string, SettingKind>> s_kinds = new(StringComparer.Ordinal)
    {
        [VmBackends.Docker] = With(new(StringComparer.OrdinalIgnoreCase)
        {
            ["Socket"] = SettingKind.Text,
            ["Image"] = SettingKind.Text,
            ["Network"] = SettingKind.Text,
            ["Cpu"] = SettingKind.Number,
            ["Memory"] = SettingKind.Text,
            ["MaxCpu"] = SettingKind.Number,
            ["MaxMemory"] = SettingKind.Text,
            ["Volumes"] = SettingKind.Texts,
            ["BootTimeout"] = SettingKind.Duration,
        }),
        [VmBackends.Gce] = With(SettingTable.Of(typeof(GcpOptions))),
        [VmBackends.Tpu] = With(SettingTable.Of(typeof(GcpOptions))),
    };

    private readonly List<(int Line, string Text)> _problems = [];
    private readonly List<(ClusterFileBackend Backend, Dictionary<string, int> Lines)> _backends = [];

    /// <exception cref="ClusterFileException">Something is wrong.</exception>
    public ClusterFile Read(PlacedValue document)
    {
        var file = ReadTop(document);
        Check();
        CheckRules();
        Check();
        return file;
    }

    private static Dictionary<string, SettingKind> With(Dictionary<string, SettingKind> own)
    {
        foreach (var (name, kind) in SettingTable.Of(typeof(VmBackendOptions)))
        {
            own[name] = kind;
        }

        return own;
    }

    private ClusterFile ReadTop(PlacedValue document)
    {
        var values = new Dictionary<string, (string Text, int Line)>(StringComparer.OrdinalIgnoreCase);
        if (document.Kind != JsonValueKind.Object)
        {
            Add(document.Line, $"it is {document.Shown}, and a cluster is an object with \"{nameof(ClusterFile.Backends)}\" in it.");
        }

        PlacedMember? backends = null;
        foreach (var member in Distinct(document.Members))
        {
            if (string.Equals(member.Name, nameof(ClusterFile.Backends), StringComparison.OrdinalIgnoreCase))
            {
                backends = member;
            }
            else
            {
                ReadSetting(member, s_top, s_top.Keys.Append(nameof(ClusterFile.Backends)), (key, text, line) => values[key] = (text, line));
            }
        }

        ReadBackends(document, backends);
        var file = new ClusterFile { Path = path, Backends = [.. _backends.Select(read => read.Backend)] };
        foreach (var (key, (text, line)) in values)
        {
            file = Apply(file, s_top.Keys.First(known => string.Equals(known, key, StringComparison.OrdinalIgnoreCase)), text, line);
        }

        return file;
    }

    private ClusterFile Apply(ClusterFile file, string key, string text, int line)
    {
        switch (key)
        {
            case nameof(ClusterFile.AdvertiseHost):
                Require(Uri.CheckHostName(text) != UriHostNameType.Unknown, line, $"{key} is \"{text}\": it is a name or an address, without 'https://' and port.");
                return file with { AdvertiseHost = text };
            case nameof(ClusterFile.WorkerDirectory):
                var directory = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, text);
                Require(File.Exists(Path.Combine(directory, "Fluster.Worker.dll")), line, $"{key} is \"{text}\", and there is no Fluster.Worker.dll in {directory}: publish the worker there, or leave it out.");
                return file with { WorkerDirectory = directory };
            case nameof(ClusterFile.VmOrphanTimeout):
                var timeout = TimeSpan.Parse(text, CultureInfo.InvariantCulture);
                Require(timeout > TimeSpan.Zero, line, $"{key} is {timeout}: it must be more than nothing.");
                return file with { VmOrphanTimeout = timeout };
            default:
                var port = int.Parse(text, CultureInfo.InvariantCulture);
                Require(port is > 0 and <= ushort.MaxValue, line, $"{key} is {port}: it is a port, from 1 to 65535.");
                return key == nameof(ClusterFile.GrpcPort) ? file with { GrpcPort = port } : file with { HttpPort = port };
        }
    }

    private void ReadBackends(PlacedValue document, PlacedMember? member)
    {
        if (member?.Value is not { Kind: JsonValueKind.Array, Items: [_, ..] items })
        {
            Require(document.Kind != JsonValueKind.Object, member?.Value.Line ?? document.Line, $"there are no backends: \"{nameof(ClusterFile.Backends)}\": [ {{ \"Kind\": \"gce\", … }} ] says where machines come from.");
            return;
        }

        foreach (var item in items)
        {
            if (item.Kind != JsonValueKind.Object)
            {
                Add(item.Line, $"{item.Shown} is among the {nameof(ClusterFile.Backends)}: each is an object, such as {{ \"Kind\": \"docker\" }}.");
                continue;
            }

            var kind = item.Members.FirstOrDefault(setting => string.Equals(setting.Name, nameof(VmBackendOptions.Kind), StringComparison.OrdinalIgnoreCase));
            if (kind is null || !s_kinds.TryGetValue(kind.Value.Text, out var table))
            {
                Add(kind?.Line ?? item.Line, $"{nameof(VmBackendOptions.Kind)} is {kind?.Value.Shown ?? "missing"}: it is one of {string.Join(", ", s_kinds.Keys)}.");
                continue;
            }

            var (settings, lines) = (new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase), new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase));
            foreach (var setting in Distinct(item.Members))
            {
                lines[setting.Name] = setting.Line;
                ReadSetting(setting, table, table.Keys, (key, text, line) => (settings[key], lines[key]) = (text, line));
            }

            _backends.Add((new ClusterFileBackend(kind.Value.Text, item.Line, settings), lines));
        }
    }

    private IEnumerable<PlacedMember> Distinct(IReadOnlyList<PlacedMember> members)
    {
        var seen = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase);
        foreach (var member in members)
        {
            if (seen.TryAdd(member.Name, member.Line))
            {
                yield return member;
            }
            else
            {
                Add(member.Line, $"'{member.Name}' is there twice: first in line {seen[member.Name].ToString(CultureInfo.InvariantCulture)}.");
            }
        }
    }

    private void ReadSetting(PlacedMember member, Dictionary<string, SettingKind> table, IEnumerable<string> names, Action<string, string, int> found)
    {
        if (!table.TryGetValue(member.Name, out var kind))
        {
            Add(member.Line, $"there is no setting '{member.Name}' here. Near names: {string.Join(", ", NearNames.Of(member.Name, names, 3))}.");
        }
        else if (SettingTable.Flatten(member, kind, found) is { } problem)
        {
            Add(problem.Line, problem.Text);
        }
    }

    /// <summary>By the rules that the controller has for its configuration.</summary>
    private void CheckRules()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(MachineSettings.Of([.. _backends.Select(read => read.Backend)])).Build();
        var options = configuration.GetSection(s_section[..^1]).Get<List<VmBackendOptions>>() ?? [];
        foreach (var problem in VmBackendOptions.ProblemsOf(options))
        {
            Place(problem);
        }

        for (var index = 0; _problems.Count == 0 && index < options.Count; index++)
        {
            var own = _backends[index].Backend.Settings.Where(pair => !VmBackendOptions.Names.Contains(pair.Key, StringComparer.OrdinalIgnoreCase)).ToDictionary(StringComparer.OrdinalIgnoreCase);
            try
            {
                var made = options[index].Make(new VmBackendSetup(options[index].Kind, options[index].NameOrKind, $"{s_section}{index}", own)
                {
                    ClusterId = "none",
                    DataDirectory = "",
                    Time = TimeProvider.System,
                    Loggers = NullLoggerFactory.Instance,
                });
                (made.Backend as IDisposable)?.Dispose();
            }
            catch (FormatException exception)
            {
                exception.Message.Split('\n').ToList().ForEach(Place);
            }
        }
    }

    /// <summary>From the controller's path to the line: that of the setting, or where it is not in the file, that of its backend.</summary>
    private void Place(string problem)
    {
        var rest = problem[s_section.Length..];
        var digits = rest.TakeWhile(char.IsAsciiDigit).Count();
        var (backend, lines) = _backends[int.Parse(rest.AsSpan(0, digits), CultureInfo.InvariantCulture)];
        var text = rest[digits..].TrimStart(':', ' ');
        var setting = lines.Keys.Where(key => text.StartsWith(key, StringComparison.OrdinalIgnoreCase)).MaxBy(key => key.Length);
        Add(setting is null ? backend.Line : lines[setting], text);
    }

    private void Require(bool holds, int line, string problem)
    {
        if (!holds)
        {
            Add(line, problem);
        }
    }

    private void Add(int line, string text) => _problems.Add((line, text));

    private void Check()
    {
        if (_problems.Count > 0)
        {
            throw new ClusterFileException([.. _problems.OrderBy(problem => problem.Line).Select(problem => $"{path}:{problem.Line.ToString(CultureInfo.InvariantCulture)}: {problem.Text}")]);
        }
    }
}
