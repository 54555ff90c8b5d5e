import asyncio
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiokafka.admin import NewTopic

from andon.events import silent
from andon.messages import CameraStatus, Inspection, ShedRange
from andon.settings import KafkaSettings, WorkerSettings
from andon.stream.clients import admin, started
from andon.wire import Outgoing
from tests.conftest import kafka_settings
from tests.integration.workers.line import PICTURE, Line, frame, seqs

pytestmark = pytest.mark.integration
CAMERAS = ("press-1", "press-2", "weld-1")


@pytest.fixture
def cache(model_cache: Path) -> Path:
    return model_cache


@pytest.fixture
async def line(broker: KafkaSettings, tmp_path: Path, cache: Path) -> Line:
    line = Line(tmp_path, cache, broker)
    await line.create_topics()
    return line


async def test_every_frame_is_inspected_once_in_its_cameras_order_across_a_stop_and_a_restart(line: Line) -> None:
    count = 120
    await line.publish(*(frame(camera, seq) for seq in range(count) for camera in CAMERAS))
    async with line.worker() as worker:
        await line.inspections(at_least=20)
        assert await worker.stop(signal.SIGTERM) == 0
        assert "event=process.stopped" in worker.log
    before = await line.inspections(at_least=20)
    committed, _ = await line.committed()
    assert committed == len(before), "what was inspected is committed, and nothing else"
    async with line.worker() as worker:
        after = await line.inspections(at_least=count * len(CAMERAS))
        assert await worker.stop() == 0
    assert seqs(after) == {camera: list(range(count)) for camera in CAMERAS}
    assert await line.committed() == (count * len(CAMERAS), count * len(CAMERAS))


async def test_poison_is_quarantined_and_the_line_goes_on(line: Line) -> None:
    camera = CAMERAS[0]
    hole = PICTURE[:700] + bytes(200) + PICTURE[900:]
    foreign = Outgoing(camera.encode(), b'{"who": "knows"}', (("x-trace", b"1"), ("binary", b"\xff")), 5)
    await line.publish(
        frame(camera, 0),
        frame(camera, 1, payload=hole),
        frame(camera, 2, payload=b""),
        frame(camera, 3, payload=PICTURE[: len(PICTURE) // 2]),
        foreign,
        Outgoing(camera.encode(), b"", (), 5),
        frame(camera, 4, corrupt=True),
        frame(camera, 5),
    )
    async with line.worker() as worker:
        inspections = await line.inspections(at_least=6)
        kept = await line.published(line.kafka.quarantine_topic, at_least=6)
        assert await worker.stop() == 0
        assert "event=record.quarantined" in worker.log
    assert [(item.seq, item.outcome) for item in inspections] == [
        (0, "inspected"),
        *((seq, "quarantined") for seq in range(1, 5)),
        (5, "inspected"),
    ]
    assert [item.reason for item in inspections[1:5]] == ["undecodable"] * 4
    assert [record.value or b"" for record in kept] == [
        hole,
        b"",
        PICTURE[: len(PICTURE) // 2],
        foreign.value,
        b"",
        PICTURE,
    ]
    reasons = [dict(record.headers)["andon_quarantine_reason"].decode() for record in kept]
    assert reasons == ["undecodable"] * 3 + ["bad_header"] * 2 + ["undecodable"]
    assert await line.committed() == (8, 8)


async def test_sheds_and_camera_records_stand_among_the_inspections_where_they_stood_among_the_frames(
    line: Line,
) -> None:
    camera, now = CAMERAS[0], datetime.now(UTC)
    shed = ShedRange(camera_id=camera, session="s", first_seq=1, last_seq=4, reason="mailbox_full", at=now)
    status = CameraStatus(camera_id=camera, session="s", state="stopped", captured=7, final=True, at=now)
    stale = frame(camera, 5, max_age_s=0.5, captured_at=now - timedelta(seconds=9), clock_offset_s=0.0)
    await line.publish(frame(camera, 0), shed, stale, frame(camera, 6), status)
    async with line.worker():
        passed = await line.messages(at_least=5)
    assert [passed[1], passed[4]] == [shed, status]
    inspections = [message for message in passed if isinstance(message, Inspection)]
    assert [(item.seq, item.outcome, item.reason) for item in inspections] == [
        (0, "inspected", None),
        (5, "shed", "stale"),
        (6, "inspected", None),
    ]


async def test_a_worker_is_ready_once_it_has_joined_and_shows_its_gauges(line: Line) -> None:
    await line.publish(*(frame(camera, 0) for camera in CAMERAS))
    async with line.worker() as worker:
        await line.inspections(at_least=3)
        assert worker.get("/readyz")[0] == 200
        _, metrics = worker.get("/metrics")
        _, metrics = worker.get("/metrics")  # the ratio needs a second look
        assert await worker.stop() == 0
    log = worker.log
    assert log.index("model.loaded") < log.index("partitions.assigned") < log.index("process.ready")
    for sample in (
        f'andon_stage_in_flight_capacity_records{{stage="workers"}} {float(WorkerSettings().max_in_flight)}',
        'andon_stage_records_done_total{stage="workers"} 3.0',
        'andon_workers_frames_inspected_total{camera="press-1"} 1.0',
        'andon_stage_service_to_arrival_ratio{stage="workers"} 1.0',
        "andon_workers_capture_to_inspection_seconds_count 3.0",
        'andon_workers_inference_seconds_count{runtime="openvino"}',
    ):
        assert sample in metrics
    assert 'andon_stage_lag_records{partition="' in metrics


async def test_past_its_quarantine_limit_a_camera_is_reported_and_the_others_are_inspected(
    broker: KafkaSettings, tmp_path: Path, cache: Path
) -> None:
    line = Line(tmp_path, cache, broker, quarantine_limit=5)
    await line.create_topics()
    bad, good = CAMERAS[:2]
    await line.publish(*(frame(bad, seq, payload=b"a broken camera") for seq in range(20)))
    await line.publish(*(frame(good, seq) for seq in range(20)))
    async with line.worker() as worker:
        inspections = await line.inspections(at_least=40)
        _, metrics = worker.get("/metrics")
        assert await worker.stop() == 0
    assert Counter((item.camera_id, item.outcome) for item in inspections) == {
        (bad, "quarantined"): 20,
        (good, "inspected"): 20,
    }
    (refused,) = [text for text in worker.log.splitlines() if "camera.refused" in text]
    assert f"camera={bad} " in refused
    assert f'andon_workers_camera_refused{{camera="{bad}"}} 1.0' in metrics
    assert "callback.failed" not in worker.log


async def test_a_topic_that_is_not_there_is_said(broker: KafkaSettings, tmp_path: Path, cache: Path) -> None:
    line = Line(tmp_path, cache, broker.model_copy(update={"start_timeout_s": 3.0}))
    async with line.worker() as worker:
        assert await worker.exit_code() == 1
        assert worker.log.strip().splitlines()[-1].endswith("`andon topics create` makes it")


async def test_a_stop_while_the_model_is_being_exported_ends_the_worker_cleanly(tmp_path: Path) -> None:
    models = tmp_path / "models"
    line = Line(tmp_path, models, KafkaSettings())
    async with line.worker() as worker, asyncio.timeout(60):
        while not list(models.glob("export-*")):
            await asyncio.sleep(0.05)
        assert await worker.interrupt() == 0
        assert "andon work: " not in worker.log
    assert not list(models.glob("*-openvino")), "an unfinished export is not served"


async def test_weights_with_another_digest_are_refused(tmp_path: Path, cache: Path) -> None:
    line = Line(tmp_path, cache, KafkaSettings())
    line.model["digest"] = "0" * 64
    async with line.worker() as worker:
        assert await worker.exit_code() == 2
        (complaint,) = (text for text in worker.log.splitlines() if text.startswith("andon work: "))
    assert "pools.default.model.digest says 000000" in complaint


async def test_a_pool_that_line_yaml_does_not_name_is_refused(tmp_path: Path, cache: Path) -> None:
    line = Line(tmp_path, cache, KafkaSettings())
    line.document["pools"] = {"heavy": line.document["pools"]["default"]}
    async with line.worker() as worker:
        assert await worker.exit_code() == 2
        assert "--pool default: no such pool; the pools are: heavy" in worker.log


async def test_a_damaged_frame_too_large_for_an_administrators_quarantine_does_not_block_its_partition(
    apache_kafka: str, tmp_path: Path, cache: Path
) -> None:
    kafka = kafka_settings(apache_kafka, embedded=False)
    narrow = NewTopic(kafka.quarantine_topic, 1, 1, topic_configs={"max.message.bytes": "5000"})
    async with started(lambda: admin(kafka), kafka, silent) as client:
        await client.create_topics([narrow])
    line = Line(tmp_path, cache, kafka)
    await line.create_topics()
    damaged = frame(CAMERAS[0], 1, payload=b"no picture" * 2_000)
    await line.publish(frame(CAMERAS[0], 0), damaged, frame(CAMERAS[0], 2))
    async with line.worker() as worker:
        inspections = await line.inspections(at_least=3)
        (kept,) = await line.published(kafka.quarantine_topic, at_least=1)
        assert await worker.stop() == 0
    assert [(item.seq, item.outcome) for item in inspections] == [
        (0, "inspected"),
        (1, "quarantined"),
        (2, "inspected"),
    ]
    assert not kept.value
    assert dict(kept.headers)["andon_quarantine_truncated_bytes"] == b"20000"
    assert await line.committed() == (3, 3)
