"""Judges a soak: compares the line's account with the events that its log yields. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.soak.recovery import RECOVERY_S, Recovery
from tests.soak.schedule import Fault, Kind

ALLOWED_LOSS: Mapping[Kind, frozenset[str]] = {
    "kill_ingest": frozenset({"ingester_died"}),
    "roll_back": frozenset({"log_lost"}),
}
"""Frames in the memory of a killed ingester are lost, and frames in the end of a log that is gone, with these reasons;
no other fault may cost a frame."""
QUIET: frozenset[Kind] = frozenset({"large_record", "step_clock", "stuffed_jpegs"})
"""Faults that hold up no camera: nothing is shed for them, and no camera is silent."""
QUARANTINED: Mapping[Kind, str] = {"large_record": "too_large"}
"""Faults that put frames into quarantine, with this reason."""
TORN = frozenset({"undecodable", "unproven"})
MAY_BE_QUARANTINED: Mapping[Kind, frozenset[str]] = {
    "large_record": frozenset({"too_large"}),
    "kill_cameras": TORN,
    "freeze_cameras": TORN,
    "roll_back": frozenset({"unproven"}),
}
"""Faults that may: a camera that is killed or freezes while it sends tears its last picture now and then, and frames of
video that follow on the lost end of a log can't be inspected before the next keyframe. No other fault may."""


@dataclass(frozen=True, slots=True)
class Account:
    """The part of `andon audit --json` that a soak judges."""

    ledger: Mapping[str, int]
    lost: Mapping[str, int]
    """By reason."""
    conflicts: int
    balanced: bool
    quarantined: Mapping[str, int] = field(default_factory=dict)
    """By reason."""
    gaps: int = 0
    """Spans without frames that have ended."""


def account_of(report: Mapping[str, Any]) -> Account:
    """Read the output of `andon audit --json`."""
    lost: Counter[str] = Counter()
    quarantined: Counter[str] = Counter()
    for camera in report["cameras"]:
        lost.update(camera["lost"])
        quarantined.update(camera["quarantined"])
    conflicts = sum(camera["conflicts"] for camera in report["cameras"])
    gaps = sum(span["to"] is not None for span in report["spans"])
    known = {reason: count for reason, count in lost.items() if count}
    return Account(report["ledger"], known, conflicts, report["balanced"], dict(quarantined), gaps)


@dataclass(slots=True)
class SoakReport:
    """The result of a soak. `complaints` is empty if every promise held."""

    seed: int
    broker: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    ledger: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)
    """By reason, so far."""
    before: Account | None = None
    """After the last fault."""
    events: Mapping[str, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def add_fault(self, fault: Fault, recovery: Recovery, account: Account) -> list[str]:
        """Add one fault's result; returns the complaints about it."""
        complaints = self._account_complaints(account, ALLOWED_LOSS.get(fault.kind, frozenset()))
        complaints += self._cost_complaints(fault.kind, account)
        if recovery.missing:
            complaints.append(f"not recovered after {RECOVERY_S:.0f} s: {', '.join(recovery.missing)}")
        self.complaints += [f"fault {fault.number}, {fault.kind}: {complaint}" for complaint in complaints]
        return complaints

    def _cost_complaints(self, kind: Kind, account: Account) -> list[str]:
        """What a fault costs besides lost frames, compared with the account after the last one."""
        before, self.before = self.before, account
        if before is None:
            return []
        quarantined = Counter(account.quarantined) - Counter(before.quarantined)
        reason = QUARANTINED.get(kind)
        allowed = Counter({may_be: quarantined[may_be] for may_be in MAY_BE_QUARANTINED.get(kind, ())})
        checks = {
            f"quarantined: {dict(quarantined - allowed)}": not quarantined - allowed,
            f"nothing is quarantined as {reason}": reason is None or bool(quarantined[reason]),
            f"shed: {account.ledger['shed'] - before.ledger['shed']}": kind not in QUIET
            or account.ledger["shed"] == before.ledger["shed"],
            f"{account.gaps - before.gaps} gaps": kind not in QUIET or account.gaps <= before.gaps,
        }
        return [complaint for complaint, well in checks.items() if not well]

    def finish(self, account: Account, events: Mapping[str, int]) -> None:
        """Add the account after the drain and the result of `compared`."""
        complaints = self._account_complaints(account, frozenset())
        self.ledger, self.events = account.ledger, events
        if left := account.ledger["in_flight"]:
            complaints.append(f"{left} frames were left in flight")
        complaints += [f"{count} events {what}" for what, count in events.items() if what != RAISED and count]
        self.complaints += [f"at the end: {complaint}" for complaint in complaints]

    def _account_complaints(self, account: Account, may_be_lost: frozenset[str]) -> list[str]:
        new = {reason: count - self.lost.get(reason, 0) for reason, count in account.lost.items()}
        self.lost = account.lost
        not_allowed = {reason: count for reason, count in new.items() if count and reason not in may_be_lost}
        checks = {
            "the account does not balance": account.balanced,
            f"{account.ledger['duplicates']} counted twice": account.ledger["duplicates"] == 0,
            f"{account.conflicts} with two outcomes": account.conflicts == 0,
            f"lost: {not_allowed}": not not_allowed,
        }
        return [complaint for complaint, well in checks.items() if not well]


RAISED = "raised"


def compared(replayed: Mapping[str, int], stored: frozenset[str], alerted: Mapping[str, int]) -> dict[str, int]:
    """Compare stored and alerted events with the replayed ones; every count but RAISED must be 0."""
    return {
        RAISED: len(replayed),
        "missing from the store": len(replayed.keys() - stored),
        "in the store that the log does not give": len(stored - replayed.keys()),
        "never alerted": len(replayed.keys() - alerted.keys()),
        "alerted that the log does not give": len(alerted.keys() - replayed.keys()),
        "alerted twice": sum(count > 1 for count in alerted.values()),
    }
