using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>What each worker of a pool runs as its job.</summary>
internal static class PoolWorkerJob
{
    /// <summary>Calls of one pool: one that brings items, one that waits for results, one that asks items back.</summary>
    private const int CallsAtATime = 16;

    /// <summary>How long a worker that was told to stop waits for its last results to be fetched.</summary>
    private static readonly TimeSpan s_farewell = TimeSpan.FromSeconds(1);

    /// <summary>A pool asks for results every ten seconds. When it has not for so long its process is gone, and nobody else would end this job.</summary>
    private static readonly TimeSpan s_longestSilence = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(10);

    /// <param name="name">The name under which the pool finds it.</param>
    /// <param name="stopping">Cancelled when the job is to end.</param>
    public static async Task RunAsync(string name, CancellationToken stopping)
    {
        var time = TimeProvider.System;
        var worker = new PoolWorker(FlusterContext.CurrentOrNull, stopping);
        var server = new ActorServer();
        await using (server.ConfigureAwait(false))
        {
            server.Register(name, worker, new ActorOptions { MaxConcurrency = CallsAtATime });
            await server.StartAsync(CancellationToken.None).ConfigureAwait(false);
            new Thread(worker.Run) { IsBackground = true, Name = name }.Start();
            await using (stopping.UnsafeRegister(static state => ((PoolWorker)state!).Leave(), worker).ConfigureAwait(false))
            {
                while (!worker.Ended.IsCompleted)
                {
                    await Task.WhenAny(worker.Ended, Task.Delay(s_look, time, CancellationToken.None)).ConfigureAwait(false);
                    if (worker.Silence > s_longestSilence)
                    {
                        worker.Leave();
                    }
                }
            }

            for (var start = time.GetTimestamp(); worker.HasResults && time.GetElapsedTime(start) < s_farewell;)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(5), time, CancellationToken.None).ConfigureAwait(false);
            }

            worker.Close();
        }
    }
}
