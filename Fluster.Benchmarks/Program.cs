using Fluster.Benchmarks;

// One per file; add yours here.
return await BenchmarkRunner.RunAsync(
    args,
    [
        new RpcUnary(),
        new SubmitLatency(),
        new WaitLatency(),
        new BundleTransfer(),
        new Endpoints(),
        new SchedulePass(),
        new StepRate(),
        new VmSteps(),
        new SubmitRate(),
        new MemoryUse(),
        new RestartTime(),
        new LogRate(),
        new WorkerPoolRate(),
        new SocketLoop(),
        new ActorCalls(),
        new ActorPayloads(),
        new LocalActorCalls(),
    ]);
