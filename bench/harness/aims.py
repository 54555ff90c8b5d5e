"""What each ratio of the bench should be, and by how much a measured one misses it (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Aim:
    """The aim of a ratio. `better` says on which side of `limit` it has to be; a ratio that equals it meets it."""

    key: str
    what: str
    better: Literal["higher", "lower"]
    limit: float

    def met(self, value: float) -> bool:
        return value >= self.limit if self.better == "higher" else value <= self.limit

    @property
    def shown(self) -> str:
        return f"{'≥' if self.better == 'higher' else '≤'} {self.limit:g}"

    def verdict(self, value: float) -> str:
        """`met`, or `missed by 0.24 (19 %)`: the distance from the limit, and its share of the limit."""
        if self.met(value):
            return "met"
        distance = abs(value - self.limit)
        share = f" ({100 * distance / self.limit:.0f} %)" if self.limit else ""
        return f"missed by {distance:.2g}{share}"


INT8_UNITS = frozenset({"avx_vnni", "avx512_vnni", "amx_int8", "amx_bf16"})
"""With one of these an export can be far faster than the .pt, so more is asked of the line."""


def aims(units: Sequence[str] = ()) -> tuple[Aim, ...]:
    """The aims on a machine with these vector units, as `vector_units` names them."""
    return (
        Aim("worker_vs_bare", "worker draining a topic ÷ bare loop, frames/s", "higher", 0.92),
        Aim("ingest_passthrough_vs_jpeg", "ingest's CPU a frame, 1080p: passed through ÷ as JPEG", "lower", 0.05),
        Aim(
            "line_vs_decode_plus_inference_plant",
            "line's CPU a frame ÷ (bare decoding + inference), plant",
            "lower",
            1.10,
        ),
        Aim("line_vs_decode_plus_inference_demo", "the same, demo", "lower", 1.25),
        Aim("bytes_passthrough_vs_jpeg", "bytes on the wire, 1080p: passed through ÷ as JPEG", "lower", 0.25),
        Aim("latency_passthrough_minus_jpeg", "p50 capture→inspection: passed through less as JPEG, ms", "lower", 0.0),
        Aim(
            "line_vs_predict_pt",
            "line's frames per CPU second ÷ ultralytics predict's, .pt",
            "higher",
            2.5 if INT8_UNITS & set(units) else 1.7,
        ),
        Aim("line_vs_predict_best", "the same, predict with its best export", "higher", 1.1),
        Aim("worker_vs_tutorial_pt", "worker's frames per CPU second ÷ tutorial consumer's, .pt", "higher", 2.5),
        Aim("worker_vs_tutorial_same_model", "the same, tutorial with the same exported model", "higher", 1.3),
        Aim("scaling_8_workers", "8 simulated workers ÷ 8 times one", "higher", 0.95),
        Aim("spike_drain_vs_ideal", "100-fold spike: drain time ÷ ideal, nothing lost", "lower", 1.1),
        Aim("spike_scaled_drain_vs_ideal", "the same with 1 to 4 workers by the lag: time ÷ ideal", "lower", 1.2),
        Aim("spike_scaled_p99_after_s", "p99 capture→inspection after that spike, s", "lower", 1.0),
        Aim("p99_vs_window_plus_inference", "p99 capture→inspection at 70 % ÷ (window + inference)", "lower", 3.0),
        Aim("cost_64_vs_4_cameras", "cost a frame at 64 cameras ÷ at 4", "lower", 1.1),
        Aim("memory_mb_per_100k_frames", "memory grown over 100,000 frames, MB", "lower", 5.0),
        Aim("accuracy_points_lost", "make bench-accuracy: the most points below a published figure", "lower", 0.5),
    )


KEYS = tuple(aim.key for aim in aims())
