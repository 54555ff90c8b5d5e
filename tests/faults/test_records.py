"""Records that nobody can inspect, and records as large as they may be: each in the account, and nothing stops."""

import asyncio
import random
from collections import Counter

import cv2
import numpy as np

from andon.messages import Frame, Message
from andon.wire import Outgoing
from tests.faults.recording import FRAMES, Encoding, Recording, account_of, needing
from tests.faults.rig import SETTLE_S, Rig
from tests.two_cameras import make_topic

QUIET = range(3, 12)
"""Numbers of frames before the first defect: what is quarantined of them takes no event away."""


def poisoned(messages: list[Message], seed: int, encoding: Encoding) -> tuple[list[Message | Outgoing], int]:
    """One in a hundred can't be decoded, one in a hundred is no record of ours.

    Returns how many frames can't be inspected.
    """
    chance = random.Random(seed)
    numbers = chance.sample(QUIET, len(messages) // 200)
    spoiled: list[Message | Outgoing] = []
    spent: set[tuple[str, int]] = set()
    for message in messages:
        if isinstance(message, Frame) and message.seq in numbers:
            spent |= {(message.camera_id, seq) for seq in needing(message.seq, encoding)}
            message = message.model_copy(update={"payload": _damaged(message.payload, chance)})  # noqa: PLW2901
        spoiled.append(message)
        if chance.random() < 0.01:
            spoiled.append(Outgoing(b"press-1", chance.randbytes(200), [("ce_type", b"\xff")], 0))
    return spoiled, len(spent)


def _damaged(picture: bytes, chance: random.Random) -> bytes:
    return chance.choice([b"", picture[:100], chance.randbytes(len(picture)), b"\xff\xd8" + picture[:50]])


def test_one_percent_of_poison_is_quarantined_and_everything_else_inspected(rig: Rig, recording: Recording) -> None:
    messages, frames = poisoned(account_of(recording.frames, "s1"), 7, rig.encoding)
    foreign = sum(isinstance(item, Outgoing) for item in messages)
    assert frames > 0
    assert foreign > 0
    rig.write()
    rig.start("sink", "sink")
    rig.start("worker", "work")
    rig.feed(messages).wait()
    rig.wait_inspected(2 * FRAMES - frames)
    rig.settle()
    rig.wait_for(lambda: rig.steps() >= recording.steps, SETTLE_S, "every event")
    rig.expect(recording, captured=2 * FRAMES, inspected=2 * FRAMES - frames, quarantined=frames)
    counted = [
        line for line in rig.metrics("worker").splitlines() if line.startswith("andon_stage_records_quarantined_total")
    ]
    assert sum(float(line.rsplit(" ", 1)[1]) for line in counted) == frames + foreign


def padded(frame: Frame, size_bytes: int) -> Frame:
    """The same picture, padded after its end until the record's value has `size_bytes`."""
    return frame.model_copy(update={"payload": frame.payload.ljust(size_bytes, b"\0")})


def test_a_record_of_the_largest_size_is_inspected_and_one_above_is_quarantined(rig: Rig, recording: Recording) -> None:
    largest = rig.kafka.max_record_bytes
    messages: list[Message | Outgoing] = list(account_of(recording.frames, "s1"))
    above = 3
    for seq, size_bytes in {above - 1: largest, above: largest + 1}.items():  # of the first camera, before any defect
        place = 2 * seq
        frame = messages[place]
        assert isinstance(frame, Frame)
        messages[place] = padded(frame, size_bytes)
    rig.write()
    rig.start("sink", "sink")
    rig.start("worker", "work")
    rig.feed(messages).wait()
    refused = len(needing(above, rig.encoding))
    rig.wait_inspected(2 * FRAMES - refused)
    rig.settle()
    rig.wait_for(lambda: rig.steps() >= recording.steps, SETTLE_S, "every event")
    rig.expect(recording, captured=2 * FRAMES, inspected=2 * FRAMES - refused, quarantined=refused)
    reasons = Counter[str]()
    for camera in rig.audit()["cameras"]:
        reasons.update(camera["quarantined"])
    assert reasons == Counter(too_large=1, unproven=refused - 1)


def test_pictures_that_an_administrators_topic_is_too_narrow_for_cost_no_other_frame(rig: Rig) -> None:
    """Of two cameras in one partition; the topic has Kafka's own limit, the line may send more."""
    folder = rig.folder / "pictures"
    folder.mkdir()
    noise = np.random.default_rng(1).integers(0, 255, (1080, 1440, 3), np.uint8)
    for number in range(10):
        cv2.imwrite(str(folder / f"{number}.jpg"), noise if number == 5 else np.zeros_like(noise))
    asyncio.run(make_topic(rig.kafka, max_message_bytes="1048588", message_timestamp_type="LogAppendTime"))
    camera = {"url": str(folder), "pace": "fast", "longest_side": 1440}
    rig.write([{"id": name, **camera} for name in ("narrow", "other")])
    rig.start("sink", "sink")
    rig.start("worker", "work")
    rig.start("ingest", "ingest", "--once", ready=False)
    assert rig.finish("ingest") == 0
    rig.wait_inspected(18)
    rig.settle()
    report = rig.audit()
    ledger = report["ledger"]
    assert (ledger["captured"], ledger["inspected"], ledger["quarantined"], ledger["lost"]) == (20, 18, 2, 0)
    assert [camera["quarantined"] for camera in report["cameras"]] == [{"too_large": 1}] * 2
    assert "event=topic.unfit" in rig.whole_log("ingest")
    assert "event=producer.replaced" not in rig.whole_log("ingest"), "the limit was read at start"


def test_a_camera_whose_pictures_are_too_large_is_in_the_account(rig: Rig) -> None:
    """Noise does not compress: every second picture is larger than the broker takes."""
    folder = rig.folder / "pictures"
    folder.mkdir()
    noise = np.random.default_rng(1).integers(0, 255, (400, 400, 3), np.uint8)
    for number in range(10):
        cv2.imwrite(str(folder / f"{number}.png"), noise if number % 2 else np.zeros_like(noise))
    rig.document["kafka"]["max_record_bytes"] = 50_000
    rig.write([{"id": "noisy", "url": str(folder), "pace": "fast"}])
    rig.start("sink", "sink")
    rig.start("worker", "work")
    rig.start("ingest", "ingest", "--once", ready=False)
    assert rig.finish("ingest") == 0
    rig.wait_inspected(5)
    rig.settle()
    ledger = rig.audit()["ledger"]
    assert (ledger["captured"], ledger["inspected"], ledger["quarantined"], ledger["lost"]) == (10, 5, 5, 0)
