using Fluster.Cluster;
using WordCount;

// Counts the words of all files of a directory: one job per file, on the cluster that runs. Prints what
// for f in DIR/*; do cat "$f"; echo; done | LC_ALL=C tr -cs 'A-Za-z' '\n' | grep . | LC_ALL=C sort | uniq -c
// prints.
const int JobsAtOnce = 32; // enough to keep a few workers busy, few enough to wait in line politely

if (args is not [var directory] || !Directory.Exists(directory))
{
    Console.Error.WriteLine(args is [var missing] ? $"There is no directory '{missing}'." : "usage: dotnet run --project samples/WordCount -- DIRECTORY");
    return 2;
}

try
{
    // Like the shell's DIR/*: no hidden files, no directories. The jobs open the files, so that their workers must see the directory.
    var files = Directory.GetFiles(Path.GetFullPath(directory)).Where(file => !Path.GetFileName(file).StartsWith('.'));
    await using var cluster = FlusterClient.FromEnvironment();
    var totals = new SortedDictionary<string, int>(StringComparer.Ordinal);
    await Parallel.ForEachAsync(files, new ParallelOptions { MaxDegreeOfParallelism = JobsAtOnce }, async (file, cancellationToken) =>
    {
        var job = await cluster.SubmitAsync(() => Words.CountFile(file), new JobOptions { Name = "count-words" }, cancellationToken);
        var counts = await job.ResultAsync(cancellationToken: cancellationToken);
        lock (totals)
        {
            foreach (var (word, count) in counts)
            {
                totals[word] = totals.GetValueOrDefault(word) + count;
            }
        }
    });

    foreach (var (word, count) in totals)
    {
        Console.WriteLine($"{count,7} {word}");
    }

    return 0;
}
catch (Exception exception) when (exception is ClusterException or JobFailedException or InvalidOperationException)
{
    Console.Error.WriteLine(exception.Message);
    return 1;
}
