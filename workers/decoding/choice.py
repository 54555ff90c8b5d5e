"""Chooses at a worker's start where it decodes video, and says so."""

from typing import Literal

from andon.events import Emit, VideoInSoftware, VideoPlace
from workers.decoding.place import HOST, DecodingPlace
from workers.detector import ModelInfo


def place_of(info: ModelInfo, wanted: Literal["auto", "software"], emit: Emit) -> DecodingPlace:
    """`emit` is also called on the decoders' threads, later. Blocks for the first call of a GPU's driver."""
    if wanted == "software":
        return _in_software("worker.decode is software", emit)
    if info.card is None:
        return _in_software(f"{info.runtime} on {info.device} reads pictures from the host", emit)
    from workers.decoding.card import gpu  # noqa: PLC0415 - it loads torch, as the model did
    from workers.decoding.card_check import why_not  # noqa: PLC0415 - as above

    card = gpu(info.card, lambda reason: emit(VideoInSoftware(reason)))
    reason = why_not(card)
    if reason:
        return _in_software(reason, emit)
    emit(VideoPlace("gpu", f"GPU {info.card} decodes video, and {info.runtime} reads its pictures there"))
    return card.place


def _in_software(reason: str, emit: Emit) -> DecodingPlace:
    emit(VideoPlace("software", reason))
    return HOST
