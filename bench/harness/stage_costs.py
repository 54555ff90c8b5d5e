"""Time and CPU of a line by stage, from the roles' /metrics and their threads' CPU (pure).

A role's first thread runs its event loop: Kafka, batching, the account. Capture, decoding and inference run on other
threads. /metrics has wall time; on a busy machine it includes the wait for a core.
"""

from dataclasses import dataclass

from bench.harness.roles import Samples


@dataclass(frozen=True, slots=True)
class RoleSpan:
    """One role between two marks."""

    before: Samples
    after: Samples
    frames: float
    loop_cpu_s: float
    cpu_s: float
    """Of all its threads, also those that have ended."""

    def increase(self, name: str) -> float:
        return self.after.get(name, 0.0) - self.before.get(name, 0.0)

    def sum_ms_a_frame(self, histogram: str) -> float:
        return 1000 * self.increase(f"{histogram}_sum") / max(1.0, self.frames)

    def mean_ms(self, histogram: str) -> float | None:
        """The mean of the observations; None if there was none."""
        count = self.increase(f"{histogram}_count")
        return 1000 * self.increase(f"{histogram}_sum") / count if count else None

    def loop_ms(self) -> float:
        return 1000 * self.loop_cpu_s / max(1.0, self.frames)

    def threads_ms(self) -> float:
        return 1000 * (self.cpu_s - self.loop_cpu_s) / max(1.0, self.frames)


Row = dict[str, object]


def stage_rows(ingest: RoleSpan, worker: RoleSpan, sink: RoleSpan) -> list[Row]:
    """A row for each stage, in a frame's order: CPU ms if the stage has a thread of its own, else wall ms."""
    return [
        _row("capture and encode", "ingest's camera threads", cpu_ms=ingest.threads_ms()),
        _row("encode", "of these", wall_ms=ingest.sum_ms_a_frame("andon_ingest_encode_seconds")),
        _row("publish frames", "ingest's loop", cpu_ms=ingest.loop_ms()),
        _row("publish, until acknowledged", "latency", wall_ms=ingest.mean_ms("andon_ingest_publish_seconds")),
        _row("fetch, batch, publish, commit", "worker's loop", cpu_ms=worker.loop_ms()),
        _row("decode and infer", "worker's threads", cpu_ms=worker.threads_ms()),
        _row("decode", "of these", wall_ms=worker.sum_ms_a_frame("andon_workers_decode_seconds")),
        _row("wait for its batch", "latency of a batch", wall_ms=worker.mean_ms("andon_workers_batch_wait_seconds")),
        _row("infer", "of these", wall_ms=worker.sum_ms_a_frame("andon_workers_inference_seconds")),
        _row("account", "sink's loop", cpu_ms=sink.loop_ms()),
        _row("store, draw, write", "sink's threads", cpu_ms=sink.threads_ms()),
        _row("transactions", "of both", wall_ms=sink.sum_ms_a_frame("andon_sinks_transaction_seconds")),
        _row("Redis, evidence, alerts", "of both", wall_ms=sink.sum_ms_a_frame("andon_sinks_write_seconds")),
    ]


def _row(stage: str, where: str, *, cpu_ms: float | None = None, wall_ms: float | None = None) -> Row:
    return {"stage": stage, "where": where, "cpu_ms_a_frame": cpu_ms, "wall_ms": wall_ms}
