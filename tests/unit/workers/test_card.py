"""Video on a card, with a card in the host's memory: what it gives, and what goes on in software."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import av
import numpy as np
import pytest

from andon.errors import FatalError, PoisonError
from andon.events import Event, VideoInSoftware, VideoPlace
from andon.pictures.health.measurement import PictureMeter
from andon.pictures.picture import Bgr
from andon.video.decoder import DecodedUnit, UnitDecoder
from andon.video.geometry import Region
from tests.cards import NEAR, DecoderInMemory, card_in_memory
from tests.detectors import FAKE_INFO, on_host
from tests.fakes import FakeClock
from tests.unit.workers.test_video_stream import LIMITS, decoded, inspected, records
from tests.video_units import (
    B_FRAMES_264,
    B_FRAMES_265,
    GROUP,
    OPEN_264,
    PLAIN_264,
    PLAIN_265,
    X264,
    X265,
    Encoder,
    stream,
)

torch = pytest.importorskip("torch")

from workers.decoding import card, card_check  # noqa: E402 - it loads torch
from workers.decoding.card import Card, CardDecoder, gpu, layout  # noqa: E402 - as above
from workers.decoding.choice import place_of  # noqa: E402 - as above
from workers.decoding.place import HOST  # noqa: E402 - as above
from workers.decoding.stream import CameraStream, Outcome, VideoRecord  # noqa: E402 - as above
from workers.runtimes.nv12 import part_of  # noqa: E402 - as above

SHORT = 2 * GROUP
IN_422 = replace(PLAIN_264, options=PLAIN_264.options, pixels="yuv422p", frames=12)
DEEP_264 = Encoder(X264, PLAIN_264.options, 12, pixels="yuv420p10le")
DEEP_265 = Encoder(X265, PLAIN_265.options, 12, pixels="yuv420p10le")


def on(at: Card, given: Sequence[VideoRecord], *, end: bool = True) -> list[Outcome]:
    return decoded(given, at=camera_on(at), end=end)


def camera_on(at: Card) -> CameraStream:
    return CameraStream(LIMITS, FakeClock(), at.place.open_decoder, at.place.pictures())


def pixels(outcomes: Sequence[Outcome]) -> list[Bgr]:
    return [on_host(each.picture.pixels) for each in outcomes if each.picture is not None]


def places(outcomes: Sequence[Outcome]) -> list[str]:
    """Where each picture lies."""
    given = [each.picture.pixels for each in outcomes if each.picture is not None]
    return ["host" if isinstance(each, np.ndarray) else "card" for each in given]


def assert_near(ours: Sequence[Bgr], theirs: Sequence[Bgr], near: int = NEAR) -> None:
    assert [each.shape for each in ours] == [each.shape for each in theirs]
    assert max(int(np.abs(one.astype(int) - other).max()) for one, other in zip(ours, theirs, strict=True)) <= near


class FailingDecoder(DecoderInMemory):
    """A card that refuses the units with these numbers."""

    def __init__(self, content_type: str, refused: Callable[[int], bool]) -> None:
        super().__init__(content_type)
        self._refused = refused

    def feed(self, unit: bytes, number: int) -> list[DecodedUnit]:
        if self._refused(number >> 14):
            raise PoisonError("undecodable", "the video decoder refuses it: Generic error in an external library")
        return super().feed(unit, number)


def failing(refused: Callable[[int], bool], say: Callable[[str], None] = lambda _: None) -> Card:
    return replace(card_in_memory(say=say), open_decoder=lambda content_type: FailingDecoder(content_type, refused))


@pytest.mark.parametrize(
    "encoder", [B_FRAMES_264, OPEN_264, B_FRAMES_265], ids=["h264-b-frames", "h264-open", "h265-b-frames"]
)
def test_the_pictures_stay_on_the_card_and_are_those_of_software(encoder: Encoder) -> None:
    ours, theirs = on(card_in_memory(), records(encoder, range(25))), decoded(records(encoder, range(25)))
    assert inspected(ours) == inspected(theirs)
    assert set(places(ours)) == {"card"}
    assert_near(pixels(ours), pixels(theirs))
    assert [(each.start, each.later, each.health) for each in ours] == [
        (each.start, each.later, each.health) for each in theirs
    ]


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize(
    ("roi", "longest_side"), [(None, 77), ((3, 5, 91, 63), None), ((3, 5, 91, 63), 50)], ids=["shrunk", "cut", "both"]
)
def test_a_cameras_settings_are_applied_as_on_the_host(turn: int, roi: Region | None, longest_side: int) -> None:
    given = records(PLAIN_264, range(2), turn=turn, roi=roi, longest_side=longest_side)
    ours, theirs = on(card_in_memory(), given), decoded(given)
    assert places(ours) == ["card"] * 2
    assert_near(pixels(ours), pixels(theirs))
    for one, other in zip(ours, theirs, strict=True):
        assert one.picture is not None
        assert other.picture is not None
        assert (one.picture.width, one.picture.height) == (other.picture.width, other.picture.height)


def test_a_roi_outside_the_picture_is_refused_as_on_the_host() -> None:
    (outcome,) = on(card_in_memory(), records(PLAIN_264, [0], roi=(100, 0, 100, 20)))
    assert "correct the camera's roi" in str(outcome.error)


@pytest.mark.parametrize("size", [(130, 94), (1080, 1920), (97, 700), (1, 1)], ids=str)
def test_image_health_measures_a_picture_on_the_card_as_one_on_the_host(size: tuple[int, int]) -> None:
    ours, theirs = PictureMeter(), PictureMeter()
    for level in (3, 250):
        bgr = np.random.default_rng(level).integers(0, level, (*size, 3), np.uint8)
        assert ours.measure(torch.from_numpy(bgr), sharpness=True) == theirs.measure(bgr, sharpness=True)


def test_the_worker_says_that_a_camera_on_the_card_is_dark() -> None:
    dark = replace(PLAIN_264, frames=120)
    given = records(dark, range(120), health_rules='{"dark_level": 240}')
    outcomes = on(card_in_memory(), given)
    assert (outcomes[0].health, outcomes[-1].state) == ("dark", "dark")


@pytest.mark.parametrize("encoder", [PLAIN_264, PLAIN_265], ids=["h264", "h265"])
@pytest.mark.parametrize("refusal", [av.error.PermissionError(1, "not permitted"), RuntimeError("no such decoder")])
def test_what_the_card_refuses_to_open_is_decoded_in_software_and_said_once(
    encoder: Encoder, refusal: Exception
) -> None:
    lines: list[str] = []

    def refuses(_: str) -> UnitDecoder:
        raise refusal

    outcomes = on(replace(card_in_memory(say=lines.append), open_decoder=refuses), records(encoder, range(SHORT)))
    assert places(outcomes) == ["host"] * SHORT
    assert_near(pixels(outcomes), [stream(encoder).pictures[number] for number in range(SHORT)], 0)
    (reason,) = lines
    assert reason.startswith(f"GPU 0 does not decode {stream(encoder).content_type}: {type(refusal).__name__}: ")


def test_a_keyframe_that_only_the_card_refuses_costs_no_frame() -> None:
    lines: list[str] = []
    outcomes = on(failing(lambda _: True, lines.append), records(PLAIN_264, range(SHORT)))
    assert places(outcomes) == ["host"] * SHORT
    (reason,) = lines
    assert "Generic error in an external library" in reason


def test_a_card_that_fails_within_a_group_is_left_at_the_next_keyframe_without_a_wrong_picture() -> None:
    outcomes = on(failing(lambda offset: offset >= 104), records(PLAIN_264, range(SHORT)))
    assert inspected(outcomes) == [*range(4), *range(GROUP, SHORT)]
    assert places(outcomes) == ["card"] * 4 + ["host"] * GROUP


def test_a_unit_that_software_refuses_too_is_to_blame_and_the_card_goes_on() -> None:
    lines: list[str] = []
    at, camera = CardDecoder("video/h264", card_in_memory(say=lines.append)), stream(PLAIN_264)
    for _ in range(2):
        with pytest.raises(PoisonError, match="the video decoder refuses it: Invalid data"):
            at.feed(camera.units[0][:20], 0)
        at.flush()
        assert [layout(each.frame) for each in at.feed(camera.units[0], 1)] == ["nv12"]
        at.flush()
    assert lines == []


def test_a_card_without_room_gets_no_decoder_until_it_has_room_again() -> None:
    free, lines = [1.0], list[str]()
    at = card_in_memory(free=lambda: free[0], say=lines.append)
    first, second = camera_on(at), camera_on(at)
    given = records(PLAIN_264, range(3 * GROUP))
    outcomes = list[list[Outcome]]()
    for group, room in enumerate((0.1, 0.1, 0.5)):
        if group:
            free[0] = room
        part = given[group * GROUP : (group + 1) * GROUP]
        outcomes.append([*decoded(part, at=first, end=False), *(decoded(part, at=second, end=False) if group else [])])
    assert places(outcomes[0]) == ["card"] * GROUP
    assert places(outcomes[1]) == ["card"] * GROUP + ["host"] * GROUP, "the first keeps its decoder"
    assert places(outcomes[2]) == ["card"] * 2 * GROUP, "the second is back"
    assert lines == ["GPU 0 has less than 12.5% of its memory free"]


def test_a_stream_that_the_card_can_not_decode_goes_on_in_software_and_is_named() -> None:
    lines: list[str] = []
    outcomes = on(card_in_memory(say=lines.append), records(IN_422, range(12)))
    assert places(outcomes) == ["host"] * 12
    assert_near(pixels(outcomes), [stream(IN_422).pictures[number] for number in range(12)], 0)
    assert lines == ["GPU 0 does not decode video/h264 in yuv422p of 160x128 pixels"]


@pytest.mark.parametrize("encoder", [DEEP_264, DEEP_265], ids=["h264", "h265"])
def test_ten_bits_are_decoded_on_the_card_and_converted_on_the_host(encoder: Encoder) -> None:
    lines: list[str] = []
    outcomes = on(card_in_memory(say=lines.append), records(encoder, range(12)))
    assert places(outcomes) == ["host"] * 12
    assert_near(pixels(outcomes), [stream(encoder).pictures[number] for number in range(12)], 1)
    assert lines == ["p010le is not converted on a card: GPU 0 decodes it, the rest is done in software"]


def test_a_picture_for_which_the_card_lacks_memory_is_made_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    original, lines = part_of, list[str]()

    def once(*given: Any) -> Any:
        monkeypatch.setattr(card, "part_of", original)
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 24 MiB\nand more")

    monkeypatch.setattr(card, "part_of", once)
    outcomes = on(card_in_memory(say=lines.append), records(PLAIN_264, range(3)))
    assert places(outcomes) == ["host", "card", "card"]
    assert_near(pixels(outcomes), [stream(PLAIN_264).pictures[number] for number in range(3)])
    assert lines == ["GPU 0 has too little memory for a picture: CUDA out of memory. Tried to allocate 24 MiB"]


def test_a_broken_card_ends_the_process_and_no_picture_is_to_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered\nand more")

    monkeypatch.setattr(card, "part_of", broken)
    with pytest.raises(FatalError, match=r"^GPU 0 fails: CUDA error: an illegal memory access was encountered: look "):
        on(card_in_memory(), records(PLAIN_264, range(3)))


def test_a_card_that_decodes_as_software_does_passes_the_check() -> None:
    assert card_check.why_not(card_in_memory()) == ""


def test_a_card_with_other_pixels_fails_the_check() -> None:
    assert card_check.why_not(card_in_memory(spoil=8)).startswith(
        "GPU 0 decodes other pixels than software does, up to"
    )


def test_a_driver_without_a_decoder_fails_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.cards.LAYOUTS", {})
    assert "no video decoder for this process" in card_check.why_not(card_in_memory())


def test_a_decoder_without_a_picture_fails_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_check, "KEYFRAME", card_check.KEYFRAME[:40])
    assert card_check.why_not(card_in_memory()).startswith("GPU 0 does not decode video: PoisonError: ")


def test_without_a_gpu_the_check_says_so_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    reason = card_check.why_not(gpu("0", lambda _: None))
    assert reason.startswith("GPU 0 does not decode video: ")
    assert "\n" not in reason


@pytest.mark.parametrize(
    ("on_card", "wanted", "place", "reason"),
    [
        (None, "auto", "software", "fake on cpu reads pictures from the host"),
        ("0", "software", "software", "worker.decode is software"),
        ("0", "auto", "gpu", "GPU 0 decodes video, and fake reads its pictures there"),
        ("7", "auto", "software", "GPU 7 has no decoder"),
    ],
)
def test_a_worker_says_at_its_start_where_it_decodes_and_why(
    on_card: str | None, wanted: Any, place: Any, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Event] = []
    monkeypatch.setattr(card, "gpu", lambda _, say: card_in_memory(say=say))
    if on_card == "7":
        monkeypatch.setattr(card_check, "why_not", lambda _: reason)
    chosen = place_of(replace(FAKE_INFO, card=on_card), wanted, events.append)
    assert events == [VideoPlace(place, reason)]
    assert (chosen is HOST) == (place == "software")
    if place == "gpu":
        decoded(records(IN_422, range(1)), at=CameraStream(LIMITS, FakeClock(), chosen.open_decoder, chosen.pictures()))
        assert [type(event) for event in events] == [VideoPlace, VideoInSoftware]
