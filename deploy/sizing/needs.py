"""What a line needs of partitions, workers, brokers, network, disk, cores and memory. Pure arithmetic over `costs`.

Each figure says how it was computed, and whether its numbers were measured, published or assumed.
"""

from dataclasses import dataclass
from math import ceil

from andon.errors import ConfigError
from deploy.sizing import published
from deploy.sizing.costs import BatchTime, FrameCosts, ModelSpeed, Resolution, SourcedNumber, per_s, weakest
from deploy.sizing.published import HOST_CORES, LOOP_PER_S, TRAVELS, UTILIZATION

MAILBOX_FRAMES, MAILBOX_BYTES = 256, 64_000_000
"""The defaults of a camera's `mailbox_frames` and `mailbox_bytes`."""
IN_FLIGHT_BYTES = 256_000_000
"""The default of `worker.max_in_flight_bytes`."""
PUBLISHED = SourcedNumber(0.0, "published", published.PROJECT)
ASSUMED = SourcedNumber(0.0, "assumed", "")
NAMES = {
    "frames_per_s": ("frames", "frames/s"),
    "frame_bytes": ("a frame", "B"),
    "model_ms": ("the model, a frame", "ms"),
    "workers": ("workers", ""),
    "latency_p99_ms": ("capture to inspection, p99", "ms"),
    "partitions": ("partitions of a topic", ""),
    "ingest_cores": ("ingest", "cores"),
    "ingest_hosts": ("ingest hosts", ""),
    "worker_cores": ("workers: decode", "cores"),
    "sink_cores": ("sinks", "cores"),
    "sinks": ("sinks, processes", ""),
    "ingest_bytes_per_s": ("ingest to brokers", "B/s"),
    "replication_bytes_per_s": ("between brokers", "B/s"),
    "consumer_bytes_per_s": ("brokers to consumers", "B/s"),
    "brokers": ("brokers", ""),
    "disk_bytes": ("disk of all brokers", "B"),
    "broker_disk_bytes": ("disk of each broker", "B"),
    "spool_bytes": ("spool of all ingest hosts", "B"),
    "ingest_memory_bytes": ("memory of all ingest", "B"),
    "worker_memory_bytes": ("memory of each worker", "B"),
    "broker_memory_bytes": ("memory of each broker", "B"),
}
"""By the key of a figure: its name, and its unit (empty: a count)."""


@dataclass(frozen=True, slots=True)
class Plant:
    """The plant that is to be sized."""

    cameras: int
    fps: float
    resolution: Resolution
    latency_s: float = 1.0
    """Aimed p99 from capture to inspection."""
    retention_s: float = 3600.0
    replication: int = 3
    worker_cores: int = HOST_CORES
    """Of a worker's host. It matters where the model runs on its processor."""

    @property
    def frames_per_s(self) -> float:
        return self.cameras * self.fps


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the answer."""

    key: str
    name: str
    value: float
    unit: str
    """B, B/s, cores, frames/s, ms; empty: a count."""
    how: str
    basis: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Needs:
    """The numbers that several figures share."""

    plant: Plant
    costs: FrameCosts
    speed: ModelSpeed
    batch: BatchTime
    worker_per_s: float
    """Frames a second that one worker is planned for."""

    @property
    def workers(self) -> int:
        """A camera is never split, so a worker carries whole cameras."""
        return ceil(self.plant.cameras / int(self.worker_per_s / self.plant.fps))

    @property
    def frames_bytes_per_s(self) -> float:
        return self.plant.frames_per_s * self.costs.bytes.value

    @property
    def log_bytes_per_s(self) -> float:
        """Frames and inspections, once."""
        return self.frames_bytes_per_s + self.plant.frames_per_s * published.INSPECTION_BYTES

    @property
    def written_bytes_per_s(self) -> float:
        return self.log_bytes_per_s * self.plant.replication

    @property
    def brokers(self) -> int:
        return max(self.plant.replication, ceil(self.written_bytes_per_s / published.BROKER_BYTES_PER_S))

    @property
    def model_known(self) -> SourcedNumber:
        return SourcedNumber(self.batch.ms, self.speed.basis, self.speed.source)


def needs(plant: Plant, costs: FrameCosts, speed: ModelSpeed) -> list[Figure]:
    """Raises ConfigError, one line, if no number of workers would do."""
    batch = speed.fastest_within(plant.latency_s)
    smaller = "take a smaller model, a smaller --imgsz or a faster GPU"
    if batch is None:
        least_ms = min(speed.p99_ms(each) for each in speed.batches)
        raise ConfigError(
            f"--latency: {plant.latency_s:g} s is below the {least_ms:.0f} ms that this model takes: {smaller}"
        )
    rate = worker_per_s(plant, costs, speed, batch)
    if plant.fps > rate:
        raise ConfigError(
            f"--fps {plant.fps:g}: one worker inspects {rate:.1f} frames/s of this model, and a camera has one worker"
            f" at a time: lower --fps, or {smaller}"
        )
    found = Needs(plant, costs, speed, batch, rate)
    return [*_load(found), *_workers(found), *_cores(found), *_network(found), *_brokers(found), *_memory(found)]


def worker_per_s(plant: Plant, costs: FrameCosts, speed: ModelSpeed, batch: BatchTime) -> float:
    """Frames a second of one worker, at UTILIZATION. On a processor, decoding and the model share its cores."""
    shared_ms = 0.0 if speed.on_gpu else costs.worker_ms.value / plant.worker_cores
    return min(UTILIZATION * per_s(batch.ms + shared_ms), LOOP_PER_S)


def _figure(key: str, value: float, how: str, *known: SourcedNumber) -> Figure:
    """`known`: the numbers that it was computed from. The sources of the weakest are named."""
    name, unit = NAMES[key]
    basis = weakest(*known) if known else "asked"
    sources = "; ".join(dict.fromkeys(each.source for each in known if each.basis == basis and each.source))
    return Figure(key, name, value, unit, how, basis, sources)


def _load(of: Needs) -> list[Figure]:
    plant, size = of.plant, of.costs.bytes
    return [
        _figure("frames_per_s", plant.frames_per_s, f"{plant.cameras} cameras x {plant.fps:g} frames/s"),
        _figure("frame_bytes", size.value, f"{TRAVELS[of.costs.encoding].name}, {plant.resolution}", size),
    ]


def _workers(of: Needs) -> list[Figure]:
    speed, batch, rate, model = of.speed, of.batch, of.worker_per_s, of.model_known
    place = "GPU" if speed.on_gpu else "host's processor"
    bound = "the most of one process" if rate == LOOP_PER_S else f"{UTILIZATION:.0%} of a {place}"
    least, each = published.PARTITIONS, published.PARTITIONS_A_WORKER
    partitions = ceil(max(least, each * of.workers) / 12) * 12
    window = f"{published.LATENCY_TIMES:g} x (window of {speed.window_ms:g} ms + a batch of {batch.batch})"
    return [
        _figure("model_ms", batch.ms, f"batches of {batch.batch}", model),
        _figure("workers", of.workers, f"one {place} each; whole cameras into {rate:.0f} frames/s, {bound}", model),
        _figure("latency_p99_ms", speed.p99_ms(batch), window, model, PUBLISHED),
        _figure("partitions", partitions, f"{each} a worker, at least {least}: the ceiling of workers", ASSUMED),
    ]


def _cores(of: Needs) -> list[Figure]:
    costs = of.costs
    ingest, decode, sinks = (_busy_cores(of, cost) for cost in (costs.ingest_ms, costs.worker_ms, costs.sinks_ms))
    hosts = ceil(max(ingest / HOST_CORES, of.plant.frames_per_s / LOOP_PER_S))
    of_hosts = f"{HOST_CORES} cores and {LOOP_PER_S:.0f} frames/s each; one more carries on when a host dies"
    beside = f"{_a_frame(costs.worker_ms)}; {decode / of.workers:.1f} beside each model"
    return [
        _figure("ingest_cores", ingest, _a_frame(costs.ingest_ms), costs.ingest_ms),
        _figure("ingest_hosts", hosts, of_hosts, costs.ingest_ms),
        _figure("worker_cores", decode, beside, costs.worker_ms),
        _figure("sink_cores", sinks, _a_frame(costs.sinks_ms), costs.sinks_ms),
        _figure("sinks", ceil(sinks), "a process for each core", costs.sinks_ms),
    ]


def _busy_cores(of: Needs, cost: SourcedNumber) -> float:
    return of.plant.frames_per_s * cost.value / 1000 / UTILIZATION


def _a_frame(cost: SourcedNumber) -> str:
    return f"{cost.value:.2f} CPU ms a frame, {UTILIZATION:.0%} busy"


def _network(of: Needs) -> list[Figure]:
    size, copies = of.costs.bytes, of.plant.replication - 1
    both = f"frames to workers, inspections of {published.INSPECTION_BYTES} bytes to sinks"
    return [
        _figure("ingest_bytes_per_s", of.frames_bytes_per_s, "frames x a frame's bytes", size),
        _figure("replication_bytes_per_s", of.log_bytes_per_s * copies, f"{copies} further copies", size),
        _figure("consumer_bytes_per_s", of.log_bytes_per_s, both, size),
    ]


def _brokers(of: Needs) -> list[Figure]:
    plant, size = of.plant, of.costs.bytes
    disk = of.written_bytes_per_s * plant.retention_s * published.DISK_ROOM
    kept = f"{plant.retention_s / 3600:g} h, {plant.replication} copies, and a tenth for open segments"
    written, most = of.written_bytes_per_s / 1e6, published.BROKER_BYTES_PER_S / 1e6
    each = f"{written:.0f} MB/s written, {most:.0f} each; at least one a copy"
    spool = of.frames_bytes_per_s * published.SPOOL_S
    return [
        _figure("brokers", of.brokers, each, size, SourcedNumber(most, "published", published.KAFKA)),
        _figure("disk_bytes", disk, kept, size),
        _figure("broker_disk_bytes", disk / of.brokers, f"shared by {of.brokers}", size),
        _figure("spool_bytes", spool, f"{published.SPOOL_S / 60:.0f} minutes without a broker", size),
    ]


def _memory(of: Needs) -> list[Figure]:
    plant, size = of.plant, of.costs.bytes
    queues = plant.cameras * min(MAILBOX_BYTES, MAILBOX_FRAMES * size.value)
    processes = ceil(plant.frames_per_s / LOOP_PER_S)
    ingest, full = processes * published.PROCESS_BYTES + queues, published.PROCESS_BYTES / 1e6
    cache = of.written_bytes_per_s * published.CACHE_S / of.brokers
    heap = SourcedNumber(published.BROKER_BYTES, "published", published.KAFKA_DOCS)
    in_cache = f"heap, and {published.CACHE_S:.0f} s of writes in the page cache"
    return [
        _figure("ingest_memory_bytes", ingest, f"{plant.cameras} full queues, {full:.0f} MB a process", size),
        _figure("worker_memory_bytes", published.WORKER_BYTES + IN_FLIGHT_BYTES, "model, runtime, frames", PUBLISHED),
        _figure("broker_memory_bytes", published.BROKER_BYTES + cache, in_cache, size, heap),
    ]
