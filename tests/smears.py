"""Holds what a model was given against the clean decode of a test stream: a picture that was made up is found."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cache

from andon.messages import Frame, Inspection
from andon.video.units import split
from tests.fingerprints import fingerprint, fingerprint_in
from tests.video_units import Encoder, stream

Expected = Callable[[Frame], str | None]
"""The fingerprint of a frame's picture in a clean decode. None: there is no such picture."""


@cache
def pictures_of(encoder: Encoder) -> Mapping[tuple[bytes, ...], str]:
    """The fingerprint of each picture, as a plain decode of the whole stream gives it, by the picture's slices."""
    of = stream(encoder)
    return {slices(unit, of.content_type): fingerprint(of.pictures[number]) for number, unit in enumerate(of.units)}


def slices(payload: bytes, content_type: str) -> tuple[bytes, ...]:
    """The NAL units of an access unit that hold its picture."""
    h264 = content_type == "video/h264"
    return tuple(unit for unit in split(payload) if (unit[0] & 31 in (1, 5) if h264 else unit[0] >> 1 & 63 < 32))


def of_streams(*encoders: Encoder) -> Expected:
    """For frames that hold the units of these streams."""
    clean = dict[tuple[bytes, ...], str]()
    for encoder in encoders:
        clean |= pictures_of(encoder)
    return lambda frame: clean.get(slices(own_unit(frame), frame.content_type))


def own_unit(frame: Frame) -> bytes:
    """The access unit that holds the frame's picture, without those that travel with it."""
    return frame.payload if frame.units is None else frame.payload[-frame.units[-1] :]


def assert_none_smeared(frames: Iterable[Frame], inspections: Iterable[Inspection], expected: Expected) -> Counter[str]:
    """Each frame has an outcome, and the pictures that a model was given are the expected ones.

    Returns how many inspections there are by outcome, `inspected` or why they are not.
    """
    sent, outcomes, accounted = {frame.frame_id: frame for frame in frames}, Counter[str](), set[str]()
    for item in inspections:
        outcomes[item.reason or item.outcome] += 1
        accounted.add(item.frame_id)
        if item.outcome == "inspected":
            assert fingerprint_in(item) == expected(sent[item.frame_id]), f"{item.frame_id} is smeared"
    assert accounted == set(sent)
    assert outcomes["inspected"], outcomes
    assert set(outcomes) <= {"inspected", "unproven"}, outcomes
    return outcomes
