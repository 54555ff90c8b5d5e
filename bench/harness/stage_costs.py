"""Where a line's time and CPU went, by stage: from what its roles say of themselves, and from their threads (pure).

A role's first thread is its event loop: Kafka, batching, the account. Capture, decoding and inference are on threads of
their own. What /metrics tells is wall time: on a full machine it holds the waiting for a core, too.
"""

from dataclasses import dataclass

from bench.harness.roles import Samples


@dataclass(frozen=True, slots=True)
class RoleSpan:
    """What one role did between two marks."""

    before: Samples
    after: Samples
    frames: float
    loop_cpu_s: float
    cpu_s: float
    """Of all its threads, those included that have ended."""

    def grown(self, name: str) -> float:
        return self.after.get(name, 0.0) - self.before.get(name, 0.0)

    def sum_ms_a_frame(self, histogram: str) -> float:
        return 1000 * self.grown(f"{histogram}_sum") / max(1.0, self.frames)

    def mean_ms(self, histogram: str) -> float | None:
        """Of one observation; None where there was none."""
        count = self.grown(f"{histogram}_count")
        return 1000 * self.grown(f"{histogram}_sum") / count if count else None

    def loop_ms(self) -> float:
        return 1000 * self.loop_cpu_s / max(1.0, self.frames)

    def threads_ms(self) -> float:
        return 1000 * (self.cpu_s - self.loop_cpu_s) / max(1.0, self.frames)


Row = dict[str, object]


def stages(ingest: RoleSpan, worker: RoleSpan, sink: RoleSpan) -> list[Row]:
    """In the order in which a frame goes through them: CPU ms where a thread is the stage's own, else wall ms."""
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
