"""How many cameras one machine carries, with broker, ingest, worker and sinks on it. Pure.

At UTILIZATION of the cores and of the GPU, p99 from capture to inspection is at most LATENCY_TIMES the batch window and
a batch: `make bench` holds the line to it. So the fastest batch that keeps the aimed latency gives the cameras.
"""

from collections.abc import Sequence

from deploy.sizing.costs import BatchTime, FrameCosts, ModelSpeed, Resolution, measured_costs, measured_speed, per_s
from deploy.sizing.measured import BenchFigures, CarriedCameras
from deploy.sizing.published import LOOP_PER_S, UTILIZATION


def carried(bench: BenchFigures, sizes: Sequence[Resolution], rates: Sequence[float]) -> tuple[CarriedCameras, ...]:
    """A row for each resolution and rate; none if the model was not measured."""
    if bench.model is None:
        return ()
    speed = measured_speed(bench.model)
    batch = speed.fastest_within(bench.latency_s)
    return tuple(_row(bench, at, fps, speed, batch) for at in sizes for fps in rates)


def _row(bench: BenchFigures, at: Resolution, fps: float, speed: ModelSpeed, batch: BatchTime | None) -> CarriedCameras:
    if batch is None:
        least = min(speed.p99_ms(each) for each in speed.batches)
        limit = f"the aimed latency: the least here is {least:.0f} ms"
        return CarriedCameras(width=at.width, height=at.height, fps=fps, cameras=0, batch=1, p99_ms=least, limit=limit)
    limits = limits_per_s(measured_costs(at, bench, bench.encoding), speed, batch, bench.machine.cores)
    limit = min(limits, key=lambda name: limits[name])
    cameras = int(limits[limit] / fps)
    p99_ms = speed.p99_ms(batch)
    return CarriedCameras(
        width=at.width, height=at.height, fps=fps, cameras=cameras, batch=batch.batch, p99_ms=p99_ms, limit=limit
    )


def limits_per_s(costs: FrameCosts, speed: ModelSpeed, batch: BatchTime, cores: int) -> dict[str, float]:
    """Frames a second that each resource of one machine allows, by its name."""
    limits = {
        "the processor": UTILIZATION * cores * per_s(costs.all_ms + batch.cpu_ms),
        "one ingester, one worker": LOOP_PER_S,
    }
    return limits | ({"the GPU": UTILIZATION * per_s(batch.ms)} if speed.on_gpu else {})
