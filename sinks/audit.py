"""The line's account, for people: the outcome of every captured frame, and spans without frames. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sinks.circumstances import Circumstances
from sinks.judgement.ledger import SessionLedger
from sinks.judgement.spans import Span, open_span
from sinks.judgement.state import JudgementState
from sinks.judgement.tally import Tally, total
from sinks.stalls import NO_ANSWER, never_captured, stalls_of
from sinks.store.pruned import PrunedTotals
from sinks.store.stored import StoredAccounts

LIVE_S = 10.0
"""An ingester is live if its last status is at most this old: two heartbeats while frames come."""

HELD_S = 60.0
"""A live ingester has sent all frames of a session that its statuses stopped naming this long ago."""


@dataclass(frozen=True, slots=True)
class Audit:
    cameras: Mapping[str, Tally]
    spans: tuple[Span, ...]
    at: datetime
    lag_known: bool
    pruned: Mapping[str, PrunedTotals] = field(default_factory=dict)
    """By camera: totals of the rows that retention has deleted. The tallies of `cameras` include their ledgers."""
    stalls: tuple[str, ...] = ()
    """What stands still, and why, a line each."""

    @property
    def total(self) -> Tally:
        return total(self.cameras.values())

    @property
    def balanced(self) -> bool:
        """Every captured frame has one outcome, and those in flight are on their way: nothing stands still."""
        return self._adds_up and not self.stalls

    @property
    def _adds_up(self) -> bool:
        return all(tally.balanced for tally in self.cameras.values())

    @property
    def fault(self) -> str | None:
        """The fault in one line; None if there is none."""
        if not self._adds_up:
            names = ", ".join(name for name, tally in self.cameras.items() if not tally.balanced)
            return f"the account does not balance: {names}"
        lost = [_lost_line(name, tally) for name, tally in self.cameras.items() if tally.lost]
        faults = [f"lost: {'; '.join(lost)}"] if lost else []
        faults += [f"stalled: {'; '.join(self.stalls)}"] if self.stalls else []
        return "; ".join(faults) or None

    def as_json(self) -> dict[str, Any]:
        whole = self.total
        ledger = {name: getattr(whole, name) for name in ("captured", "inspected", "in_flight", "duplicates")}
        ledger |= {name: sum(getattr(whole, name).values()) for name in ("shed", "quarantined", "lost")}
        return {
            "ledger": ledger,
            "cameras": [
                {"camera": name, **asdict(tally), "balanced": tally.balanced} for name, tally in self.cameras.items()
            ],
            "spans": [self._span(span) for span in self.spans],
            "pruned": [_pruned(name, totals) for name, totals in self.pruned.items()],
            "stalled": list(self.stalls),
            "balanced": self.balanced,
        }

    def _span(self, span: Span) -> dict[str, Any]:
        return {
            "camera": span.camera_id,
            "from": span.started_at.isoformat(),
            "to": span.ended_at.isoformat() if span.ended_at else None,
            "seconds": round(self.seconds(span), 3),
            "reason": span.reason,
            "watched": span.watched,
        }

    def seconds(self, span: Span) -> float:
        """The span's length, up to now if it is open."""
        return ((span.ended_at or self.at) - span.started_at).total_seconds()


def audit_of(stored: StoredAccounts, circumstances: Circumstances, camera: str | None = None) -> Audit:
    """The audit of all cameras, or of one."""
    heard_of = {name for name, _ in stored.states} | {name for name, _ in stored.ledgers}
    names = sorted(heard_of | circumstances.registered.keys())
    names = [name for name in names if camera in (None, name)]
    states = {name: _latest(state for of, state in stored.states if of == name) for name in names if name in heard_of}
    circumstances = _not_before(circumstances, states.values())
    pruned = {name: stored.pruned[name] for name in names if name in stored.pruned}
    tallies = {name: [pruned[name].ledger] if name in pruned else [] for name in names}
    for (name, _), ledger in stored.ledgers.items():
        if name in tallies:
            tallies[name].append(_tally(ledger, states[name], circumstances))
    cameras = {name: total(parts) for name, parts in tallies.items()}
    closed = [span for span in stored.spans if span.camera_id in cameras]
    still = [_open(name, state, circumstances) for name, state in states.items()]
    spans = tuple(closed + [span for span in still if span])
    stalls = (*stalls_of(stored, states, spans, circumstances), *never_captured(set(names) - heard_of, circumstances))
    return Audit(cameras, spans, circumstances.now, circumstances.lag is not None, pruned, stalls)


def _latest(states: Iterable[JudgementState]) -> JudgementState:
    """The newest of a camera's states; it has one for each partition that it was ever in."""
    return max(states, key=lambda state: state.display.status_at.timestamp() if state.display.status_at else 0.0)


def _not_before(circumstances: Circumstances, states: Iterable[JudgementState]) -> Circumstances:
    """A host on which it is earlier than in the newest status has a clock that is behind."""
    newest = max((state.display.status_at for state in states if state.display.status_at), default=circumstances.now)
    return replace(circumstances, now=max(circumstances.now, newest))


def _tally(ledger: SessionLedger, state: JudgementState, circumstances: Circumstances) -> Tally:
    """Frames of an open session that are not accounted for are in flight while records may still come."""
    if ledger.ended is None and circumstances.lag == 0 and not _held(state, circumstances.now):
        if state.expired:  # no record of the camera came after those that expired
            ledger.expire(ledger.captured)
        ledger.end("superseded")
    return ledger.tally()


def _held(state: JudgementState, now: datetime) -> bool:
    """Whether an ingester may still hold frames of a session that has not ended."""
    named_at = state.display.session_at
    return _live(state, now) and named_at is not None and now - named_at <= timedelta(seconds=HELD_S)


def _live(state: JudgementState, now: datetime) -> bool:
    status_at = state.display.status_at
    return status_at is not None and now - status_at <= timedelta(seconds=LIVE_S)


def _open(name: str, state: JudgementState, circumstances: Circumstances) -> Span | None:
    """The silence that lasts, if any, as far as the store knows. With lag it knows a camera up to its last status."""
    known_at = circumstances.known_at
    heard_at = state.display.status_at or state.delivery.frame_at or circumstances.now
    until = heard_at if known_at is None else max(heard_at, known_at)
    span = open_span(state.delivery, name, until, circumstances.silence(name))
    if span is not None and span.reason == "unknown" and known_at is not None and not _live(state, until):
        reason = NO_ANSWER if circumstances.lag is None else "ingester_died"
        return Span(name, span.started_at, None, reason, span.watched)
    return span


def _pruned(camera: str, totals: PrunedTotals) -> dict[str, Any]:
    """The sums of a camera's deleted rows. The camera's own tally includes their ledgers."""
    kept = {"sessions": totals.sessions, "parts": dict(totals.parts), "defects": dict(totals.defects)}
    return {"camera": camera, **kept, "spans": totals.spans, "seconds": round(totals.seconds, 3)}


def _lost_line(name: str, tally: Tally) -> str:
    return f"{name} " + ", ".join(f"{count} {reason}" for reason, count in tally.lost.items())
