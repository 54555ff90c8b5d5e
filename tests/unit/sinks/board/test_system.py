"""What `/system` shows, and from where."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from andon.errors import ConfigError
from andon.settings import Settings
from sinks.board import running_processes, system_news
from sinks.board.backlogs import Backlogs
from sinks.board.latencies import MINUTES, InspectionSample, Latencies
from sinks.board.models.system import ChannelDepth, GroupLag
from sinks.board.pages import system
from sinks.board.queries.standing import CameraStanding
from sinks.board.running_processes import ProcessAddress, places
from sinks.board.system_news import SystemNews, ledger_of, rooms, samples
from sinks.judgement.spans import LastDelivery
from sinks.judgement.state import Totals
from tests.board import TestBoard, a_board
from tests.fakes import START, FakeClock


def inspected(latency_s: float, at: datetime = START, **more: object) -> InspectionSample:
    values = {"batch_size": 4, "model": "ab", "runtime": "openvino", **more}
    return InspectionSample(at - timedelta(seconds=latency_s), at, **values)  # type: ignore[arg-type]


def test_percentiles_are_right_within_a_step() -> None:
    latencies = Latencies()
    for number in range(1, 1001):
        latencies.add(inspected(number / 1000))
    found = latencies.over(START + timedelta(seconds=30), 5)
    assert found is not None
    for measured, true in ((found.p50_s, 0.5), (found.p95_s, 0.95), (found.p99_s, 0.99)):
        assert true <= measured <= true * 1.1
    assert (found.frames, found.batch) == (1000, 4)
    assert latencies.over(START + timedelta(minutes=5), 5) is None


def test_memory_is_bounded_in_minutes_and_in_models() -> None:
    latencies = Latencies()
    for minute in range(MINUTES + 60):
        latencies.add(inspected(0.1, START + timedelta(minutes=minute), model=str(minute)))
    kept = latencies.minutes()
    assert (len(kept), len(latencies.models)) == (MINUTES, 20)
    assert kept[0].at == START + timedelta(minutes=60)


def entry(**changes: object) -> tuple[bytes, dict[bytes, bytes]]:
    content = {
        "outcome": "inspected",
        "captured_at": "2026-03-01T06:00:00Z",
        "inspected_at": "2026-03-01T06:00:00.250Z",
        "timings": {"batch_size": 8},
        "model": "ab",
        "runtime": "onnx",
        **changes,
    }
    return b"1-0", {b"inspection": json.dumps(content).encode()}


def test_what_was_not_inspected_or_can_not_be_read_is_no_sample() -> None:
    broken = [(b"2-0", {}), (b"3-0", {b"inspection": b"{"})]
    entries = [entry(), entry(outcome="shed"), entry(captured_at="yesterday"), *broken]
    (sample,) = samples(entries)
    assert (sample.latency_s, sample.batch_size, sample.runtime) == (0.25, 8, "onnx")


def test_the_ledger_is_the_sum_of_the_cameras_and_balances_unless_more_ended_than_was_captured() -> None:
    def camera(**counts: int) -> CameraStanding:
        return CameraStanding("press-1", LastDelivery(), None, Totals(**counts))

    ledger = ledger_of([camera(captured=10, inspected=8, lost=1), camera(captured=5, inspected=5)])
    assert (ledger.captured, ledger.in_flight, ledger.lost, ledger.balanced) == (15, 1, 1, True)
    assert not ledger_of([camera(captured=1, inspected=2), camera(captured=10, inspected=5)]).balanced


@pytest_asyncio.fixture
async def board(tmp_path: Path) -> AsyncIterator[TestBoard]:
    processes = ["http://127.0.0.1:1"]
    async with a_board(tmp_path, {"board": {"processes": processes}}, clock=FakeClock()) as ours:
        yield ours


async def test_lag_is_measured_always_and_all_else_only_while_somebody_looks(
    board: TestBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def behind(settings: object) -> list[GroupLag]:
        return [GroupLag(group="andon.sinks", topic="andon.inspections", records=7, seconds=1.5)]

    monkeypatch.setattr(system, "lags", behind)
    async with board.client() as client:
        await system.look_at_system(board.board)
        assert (await client.get("/api/v1/system")).json()["measured_at"] is None
        assert "Loading" in (await client.get("/system")).text
        assert isinstance(board.board.clock, FakeClock)
        board.board.clock.advance(system.EVERY_S)
        await system.look_at_system(board.board)
        unseen = (await client.get("/api/v1/system")).json()
        assert (unseen["measured_at"], unseen["backlogs"][0]["records"]) == (None, 7)
        monkeypatch.setattr(type(board.board.hub), "watched", lambda self, topic: topic == system.TOPIC)
        await system.look_at_system(board.board)
        answer = (await client.get("/api/v1/system")).json()
        assert (answer["lags"][0]["records"], answer["broker"]) == (7, True)
        assert answer["processes"][0]["fault"] == "no answer: ConnectError"
        assert {disk["what"] for disk in answer["disks"]} == {"store", "evidence"}
        assert answer["ledger"]["balanced"]
        page = (await client.get("/system/now")).text
        assert ("andon.sinks" in page, "Loading" in page) == (True, False)


async def test_a_process_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        '# TYPE andon_process_info gauge\nandon_process_info{role="ingest",version="0.1.0"} 1\n'
        "# TYPE andon_ingest_spool_size_bytes gauge\n"
        'andon_ingest_spool_size_bytes{camera="a"} 10\nandon_ingest_spool_size_bytes{camera="b"} 5\n'
    )
    transport = httpx.MockTransport(lambda request: httpx.Response(200, text=text))
    async with httpx.AsyncClient(transport=transport) as client:
        place = ProcessAddress("http://ingest-1:9100", "http://10.0.0.5:9100/metrics", "ingest-1:9100")
        process = await running_processes._process(client, place)
    assert (process.role, process.version, process.spool_bytes, process.in_flight, process.fault) == (
        "ingest",
        "0.1.0",
        15,
        None,
        None,
    )


async def test_a_name_stands_for_all_its_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def two(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        assert host == "workers"
        ips = [("10.0.0.6", port), ("10.0.0.5", port), ("10.0.0.5", port)]
        six = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fd00::5", port, 0, 0))
        return [six, *((socket.AF_INET, socket.SOCK_STREAM, 6, "", to) for to in ips)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", two)
    assert await places("http://workers:8080") == [
        ProcessAddress(f"http://workers:8080 ({ip})", f"http://{ip}:8080/metrics", "workers:8080")
        for ip in ("10.0.0.5", "10.0.0.6")
    ]


async def test_a_name_without_processes_is_one_fault() -> None:
    async def none(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.get_running_loop(), "getaddrinfo", none)
        settings = Settings.model_validate({"board": {"processes": ["http://workers:8080"]}})
        (found,) = await running_processes.processes(settings)
    assert (found.address, found.fault) == ("http://workers:8080", "no process has this name")


def test_a_minute_keeps_its_worst_and_memory_is_bounded() -> None:
    def lag(records: int, seconds: float) -> GroupLag:
        return GroupLag(group="g", topic="t", records=records, seconds=seconds)

    backlogs, waiting = Backlogs(), [ChannelDepth(channel="redis", waiting=3, since=START)]
    for at_s, lags, outbox in (
        (0, [lag(5, 1.0), lag(2, 4.0)], waiting),
        (10, [lag(6, 2.0), lag(0, 0.0)], []),
        (20, None, []),
        (60, None, []),
    ):
        backlogs.add(START + timedelta(seconds=at_s), lags, outbox)
    first, second = backlogs.minutes()
    assert (first.records, first.seconds, first.outbox) == (7, 4.0, 3)
    assert (second.records, second.seconds, second.outbox) == (None, None, 0)
    for minute in range(MINUTES + 60):
        backlogs.add(START + timedelta(minutes=minute), [], [])
    assert len(backlogs.minutes()) == MINUTES
    assert backlogs.minutes()[0].at == START + timedelta(minutes=60)


async def test_a_broker_that_refuses_the_log_in_does_not_end_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: object, **__: object) -> None:
        raise ConfigError("kafka.sasl_password: the broker refuses it")

    monkeypatch.setattr(system_news, "group_lag", refused)
    assert await system_news.lags(Settings()) is None


def test_a_disk_is_full_when_it_goes_on_filling_at_its_pace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.model_validate({"sinks": {"evidence": {"url": str(tmp_path / "evidence")}}})
    news, free = SystemNews(), [1_000]
    usage = type("Usage", (), {"total": 10_000, "free": property(lambda self: free[0])})
    monkeypatch.setattr("shutil.disk_usage", lambda place: usage())
    assert rooms(settings, news, 0.0)[0].full_in_s is None
    free[0] = 900
    assert rooms(settings, news, 100.0)[0].full_in_s == pytest.approx(900)
    free[0] = 1_000
    assert rooms(settings, news, 200.0)[0].full_in_s is None
