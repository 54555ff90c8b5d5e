"""A worker's whole role decides at its start where it decodes video, and decodes it there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from andon.events import VideoPlace
from tests.cards import card_in_memory
from tests.conftest import kafka_settings
from tests.detectors import FAKE_INFO, FakeDetector
from tests.integration.workers.here import worker_here
from tests.integration.workers.line import Line, frame
from tests.video_units import PLAIN_264, stream
from workers import role
from workers.decoding import card
from workers.detector import Detections, ModelInfo, Picture

pytestmark = pytest.mark.integration
FRAMES = 12


class OnCard(FakeDetector):
    """A model that reads pictures on the first GPU, too."""

    def __init__(self) -> None:
        super().__init__()
        self.on_card: list[bool] = []

    @property
    def info(self) -> ModelInfo:
        return replace(FAKE_INFO, card="0")

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        self.on_card += [not isinstance(picture, np.ndarray) for picture in pictures]
        return super().detect(pictures)


@pytest.mark.parametrize("there", [True, False], ids=["with-a-card", "without-a-card"])
async def test_the_model_gets_pictures_where_the_worker_says_at_its_start(
    *, there: bool, embedded_broker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, detector = Line(tmp_path, tmp_path, kafka_settings(embedded_broker, embedded=True)), OnCard()
    await line.create_topics()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    steps: list[str] = []

    @contextmanager
    def context(device: str) -> Iterator[None]:
        steps.append(f"context of {device}")
        yield
        steps.append("given away")

    def opened(*_: object) -> OnCard:
        steps.append("model")
        return detector

    monkeypatch.setattr(role, "made_by_ffmpeg", context)
    if there:
        monkeypatch.setattr(card, "gpu", lambda _, say: card_in_memory(say=say))
    camera = stream(PLAIN_264)
    given: dict[str, Any] = {"content_type": camera.content_type}
    await line.publish(*(frame("cam", seq, payload=camera.units[seq], **given) for seq in range(FRAMES)))
    async with worker_here(line.settings, opened) as events:
        found = await line.inspections(FRAMES)
    assert [item.outcome for item in found] == ["inspected"] * FRAMES
    assert detector.on_card[-FRAMES:] == [there] * FRAMES
    assert steps == ["context of auto", "model", "given away"]
    (event,) = events.of(VideoPlace)
    assert event.place == ("gpu" if there else "software")
    assert event.reason.startswith("GPU 0 decodes video, and " if there else "GPU 0 does not decode video: ")
