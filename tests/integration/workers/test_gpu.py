"""A model on a real NVIDIA GPU."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from andon.clock import SystemClock
from andon.errors import FatalError
from andon.events import BatchHalved
from andon.settings import PoolSettings
from tests.detectors import DEMO_WEIGHTS, grey
from tests.fakes import RecordedEvents
from workers.batcher import Batcher
from workers.detector import Detector
from workers.inference import Inference, Response
from workers.runtimes.choice import load
from workers.threads import detector_threads

BATCH = 16
SIDE_PX = 1280

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="it takes an NVIDIA GPU and a torch with CUDA")


@pytest.fixture
def detector(tmp_path: Path) -> Detector:
    model = {
        "weights": str(DEMO_WEIGHTS),
        "runtime": "torch",
        "device": "cuda:0",
        "imgsz": SIDE_PX,
        "cache": str(tmp_path),
    }
    loaded = load(PoolSettings.model_validate({"model": model, "batch": {"size": BATCH}}), "default")
    loaded.warm_up()
    return loaded


@pytest.fixture
def all_memory() -> Iterator[None]:
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


def needed(detector: Detector, count: int) -> int:
    """Bytes of the GPU that a batch of `count` pictures takes, with the model itself."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    detector.detect([grey(100, (SIDE_PX, SIDE_PX))] * count)
    return torch.cuda.max_memory_reserved()


def leave(limit: int) -> None:
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(limit / torch.cuda.get_device_properties(0).total_memory)


async def inferred(detector: Detector, count: int, events: RecordedEvents) -> list[Response]:
    with detector_threads() as thread:
        inference = Inference(detector, thread, Batcher(BATCH, 0.0), SystemClock(), events)
        serving = asyncio.create_task(inference.serve(), name="detect")
        pictures = [grey(level, (SIDE_PX, SIDE_PX)) for level in range(count)]
        responses = asyncio.gather(*(inference.infer("cam", picture) for picture in pictures))
        try:
            under_way: set[asyncio.Future[Any]] = {serving, responses}
            await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                await serving
            return await responses
        finally:
            serving.cancel()
            responses.cancel()
            await asyncio.gather(serving, responses, return_exceptions=True)


async def test_a_batch_for_which_memory_is_too_small_is_inferred_in_halves(
    detector: Detector, all_memory: None
) -> None:
    events = RecordedEvents()
    leave((needed(detector, BATCH // 2) + needed(detector, BATCH)) // 2)
    assert len(await inferred(detector, BATCH, events)) == BATCH
    assert events.of(BatchHalved) == [BatchHalved(BATCH, detector.info.device)]


async def test_memory_that_is_too_small_for_half_a_batch_ends_the_process(detector: Detector, all_memory: None) -> None:
    leave((needed(detector, 1) + needed(detector, BATCH // 2)) // 2)
    with pytest.raises(ExceptionGroup) as caught:
        await inferred(detector, BATCH, RecordedEvents())
    (error,) = caught.value.exceptions
    assert isinstance(error, FatalError)
    assert f"has too little memory for the model with {BATCH // 2} pictures (" in str(error)
    assert "\n" not in str(error)


def test_the_card_that_serves_the_model_decodes_its_video(tmp_path: Path) -> None:
    """In a process of its own: the first to use a GPU there decides for all that follow."""
    script = (
        "from andon.settings import PoolSettings\n"
        "from workers.decoding.card import gpu\n"
        "from workers.decoding.card_check import why_not\n"
        "from workers.decoding.context import made_by_ffmpeg\n"
        "from workers.runtimes.choice import load\n"
        f"model = {{'weights': {str(DEMO_WEIGHTS)!r}, 'runtime': 'torch', 'cache': {str(tmp_path)!r}}}\n"
        "with made_by_ffmpeg('auto'):\n"
        "    load(PoolSettings.model_validate({'model': model}), 'default').warm_up()\n"
        "reason = why_not(gpu('0', print))\n"
        "assert 'Operation not supported' not in reason, reason\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[3], check=True, timeout=300)
