using Fluster.Actors;
using Fluster.Cluster;

namespace Samples;

internal sealed record Prediction(int Server, int Version, double Value);

internal interface IModel
{
    /// <summary>Replaces the weights.</summary>
    /// <returns>How many there are.</returns>
    Task<int> Load(int version, float[] weights);

    Task<Prediction> Predict(double input);
}

/// <summary>Stands in for a model: the input times the mean of its weights, every one of which therefore has to be right.</summary>
internal sealed class Model : IModel
{
    private int _version;
    private float[] _weights = [];

    public Task<int> Load(int version, float[] weights)
    {
        (_version, _weights) = (version, weights); // the array is this actor's own: it was received for it
        return Task.FromResult(weights.Length);
    }

    public Task<Prediction> Predict(double input) => _weights.Length == 0
        ? throw new InvalidOperationException("This server has no weights yet.")
        : Task.FromResult(new Prediction(FlusterContext.Current.TaskIndex, _version, input * _weights.Average(weight => (double)weight)));

    public static async Task ServeAsync(string name)
    {
        await using var server = new ActorServer();
        server.Register(name, new Model());
        await server.RunAsync();
    }
}
