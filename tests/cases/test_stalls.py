"""Lines that stand still, and lines that only look so: what the audit says of them."""

from dataclasses import dataclass, field
from datetime import timedelta

from sinks.audit import audit_of
from sinks.circumstances import Circumstances, ConsumerGroup
from sinks.judgement.step import AccountMessage
from sinks.store.stored import StoredAccounts
from tests.cases.case import Case, rows
from tests.fakes import START
from tests.unit.sinks.judgement.frames import FPS, Steps, inspected, quarantined, shed, status

STALLED_S = 30.0
WORKERS = ConsumerGroup("andon.workers.default", "andon.frames", 0, 0.0)
SINKS = ConsumerGroup("andon.sinks", "andon.inspections", 0, 0.0)


def stale(seq: int) -> AccountMessage:
    return inspected(seq).model_copy(update={"outcome": "shed", "reason": "stale"})


def late_shed(seq: int, at_s: float) -> AccountMessage:
    return shed(seq, seq).model_copy(update={"at": START + timedelta(seconds=at_s)})


def stalled(captured: int, reason: str, at_s: float) -> AccountMessage:
    return status(captured, at_s=at_s).model_copy(update={"stalled": reason})


def behind(group: ConsumerGroup, records: int, oldest_s: float) -> ConsumerGroup:
    return ConsumerGroup(group.name, group.topic, records, oldest_s)


@dataclass(frozen=True, slots=True)
class AuditCase:
    """What the store and the broker show of one camera, `at_s` seconds after the start."""

    messages: tuple[AccountMessage, ...]
    at_s: float
    says: str = ""
    """The audit's fault; empty: it finds none."""
    workers: ConsumerGroup = WORKERS
    sinks: ConsumerGroup = SINKS
    answers: bool = True
    """Whether the broker answers."""
    changed_s: float | None = None
    """When a sink last changed an account. None: at `at_s`."""
    watched: frozenset[str] | None = field(default=None)


SECOND = int(FPS)
MINUTE = 60 * SECOND
TEN_FRAMES = tuple(inspected(seq) for seq in range(10))
CASES = (
    Case(
        "A broker that acknowledges no frame stalls the line, and the ingester that lives has not died",
        "IBM/sarama#1661",
        AuditCase(
            (*TEN_FRAMES, *(stalled(1000, "990 frames wait for the broker", at_s) for at_s in range(40, 61))),
            at_s=61,
            says="stalled: press-1: 990 frames wait for the broker",
        ),
    ),
    Case(
        "Frames of a camera whose ingester lives are in flight, however long ago they were captured",
        "seen by hand",
        AuditCase((*TEN_FRAMES, *(status(20, at_s=at_s) for at_s in range(1, 10))), at_s=10),
    ),
    Case(
        "A camera of which each frame is shed as stale stalls the line",
        "rosys#422, ex_nvr#404",
        AuditCase(
            (*TEN_FRAMES, *(stale(seq) for seq in range(10, MINUTE))),
            at_s=60,
            says="stalled: press-1: no frame was inspected for 59 s: shed as stale",
        ),
    ),
    Case(
        "A camera of which each frame is quarantined stalls the line",
        "opencv#9477",
        AuditCase(
            tuple(quarantined(seq) for seq in range(MINUTE)),
            at_s=60,
            says="stalled: press-1: no frame was inspected for 60 s: quarantined as undecodable",
        ),
    ),
    Case(
        "A camera that sheds most of its frames and has some inspected does not stall the line",
        "seen by hand",
        AuditCase(tuple(inspected(seq) if seq % SECOND == 0 else stale(seq) for seq in range(MINUTE)), at_s=60),
    ),
    Case(
        "A camera that shed a frame long ago and then rested does not stall the line with its next shed frame",
        "seen by hand",
        AuditCase((*TEN_FRAMES, shed(10, 10), late_shed(11, 6000), status(12, at_s=6000.2)), at_s=6000.5),
    ),
    Case(
        "A camera that is away for longer than the limit stalls the line with the camera's own reason",
        "seen by hand",
        AuditCase(
            (*TEN_FRAMES, status(10, state="offline", final=True, at_s=1, detail="connection refused")),
            at_s=60,
            says="stalled: press-1: no frame for 59 s: offline: connection refused",
        ),
    ),
    Case(
        "A camera that delivers a picture every 10 s may be silent for ten of its intervals",
        "frigate#5192",
        AuditCase(tuple(inspected(seq, late_s=10.0 * seq) for seq in range(10)), at_s=180),
    ),
    Case(
        "A camera that was stopped on purpose does not stall the line",
        "seen by hand",
        AuditCase((*TEN_FRAMES, status(10, state="stopped", final=True)), at_s=3600),
    ),
    Case(
        "A camera that line.yaml no longer watches does not stall the line",
        "seen by hand",
        AuditCase((*TEN_FRAMES, status(10, final=True)), at_s=3600, watched=frozenset({"press-2"})),
    ),
    Case(
        "A camera that was stopped after none of its frames could be read does not stall the line",
        "seen by hand",
        AuditCase(
            (*(quarantined(seq) for seq in range(MINUTE)), status(MINUTE, state="stopped", final=True)), at_s=3600
        ),
    ),
    Case(
        "An ingester whose heartbeats stopped has died, and its camera stalls the line",
        "seen by hand",
        AuditCase(
            (*TEN_FRAMES, status(10, at_s=1)),
            at_s=60,
            says="stalled: press-1: no frame for 59 s: ingester_died",
        ),
    ),
    Case(
        "A camera whose ingester died stalls the line also while other cameras have frames under way",
        "seen by hand",
        AuditCase(
            (*TEN_FRAMES, status(10, at_s=1)),
            at_s=60,
            workers=behind(WORKERS, 3, 0.2),
            sinks=behind(SINKS, 2, 0.1),
            says="stalled: press-1: no frame for 59 s: ingester_died",
        ),
    ),
    Case(
        "A broker that does not answer stalls the line, and nobody is said to have died",
        "librdkafka#3584",
        AuditCase(
            (*TEN_FRAMES, status(12, at_s=1)),
            at_s=60,
            answers=False,
            says="stalled: press-1: no frame for 59 s: the broker does not answer",
        ),
    ),
    Case(
        "A broker that has not answered for a moment does not stall the line",
        "seen by hand",
        AuditCase((*TEN_FRAMES, status(12, at_s=1)), at_s=20, answers=False),
    ),
    Case(
        "Workers that finish nothing while records wait stall the line",
        "seen by hand",
        AuditCase(
            TEN_FRAMES,
            at_s=60,
            workers=behind(WORKERS, 900, 58.0),
            says=(
                "stalled: 900 records of andon.frames wait for the group andon.workers.default, the oldest for 58 s, "
                "and it has finished none for 59 s: see /readyz of its processes"
            ),
        ),
    ),
    Case(
        "Workers that never finished a record while some wait stall the line",
        "seen by hand",
        AuditCase(
            (status(900),),
            at_s=60,
            workers=behind(WORKERS, 900, 58.0),
            says=(
                "stalled: 900 records of andon.frames wait for the group andon.workers.default, the oldest for 58 s, "
                "and it has never finished one: see /readyz of its processes"
            ),
        ),
    ),
    Case(
        "Workers that work off an old backlog do not stall the line",
        "seen by hand",
        AuditCase(TEN_FRAMES, at_s=20, workers=behind(WORKERS, 90_000, 3600.0)),
    ),
    Case(
        "Sinks that account for nothing while records wait stall the line, and the workers are not blamed for it",
        "seen by hand",
        AuditCase(
            TEN_FRAMES,
            at_s=60,
            workers=behind(WORKERS, 900, 58.0),
            sinks=behind(SINKS, 70, 40.0),
            changed_s=20.0,
            says=(
                "stalled: 70 records of andon.inspections wait for the group andon.sinks, the oldest for 40 s, "
                "and it has finished none for 40 s: see /readyz of its processes"
            ),
        ),
    ),
    Case(
        "Sinks that work off an old backlog do not stall the line",
        "seen by hand",
        AuditCase(TEN_FRAMES, at_s=3600, sinks=behind(SINKS, 70_000, 3599.0)),
    ),
)


@rows(CASES)
def test_stalls(given: AuditCase) -> None:
    steps = Steps().take(given.messages)
    steps.camera.state.heard = ("andon.frames", 0, 9)
    now = START + timedelta(seconds=given.at_s)
    changed_at = now if given.changed_s is None else START + timedelta(seconds=given.changed_s)
    ledgers = {("press-1", name): ledger for name, ledger in steps.camera.sessions.items()}
    stored = StoredAccounts([("press-1", steps.camera.state)], ledgers, steps.spans, changed_at=changed_at)
    lag = given.workers.records + given.sinks.records if given.answers else None
    report = audit_of(stored, Circumstances(now, lag, 3.0, {}, STALLED_S, (given.workers,), given.sinks, given.watched))
    assert (report.fault or "") == given.says
    assert report.balanced == (not given.says)
    assert not report.total.lost
