"""Whether a soak went as promised: what the line says of itself, held against what its log gives."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.local.soak.recovery import RECOVERY_S, Recovered
from deploy.local.soak.schedule import Fault, Kind

ALLOWED_LOSS: Mapping[Kind, frozenset[str]] = {"kill_ingest": frozenset({"ingester_died"})}
"""What a killed ingester held in memory is lost, and said; no other fault may cost a frame."""


@dataclass(frozen=True, slots=True)
class Account:
    """What `andon audit` says."""

    ledger: Mapping[str, int]
    lost: Mapping[str, int]
    """By reason."""
    conflicts: int
    balanced: bool


def account_of(report: Mapping[str, Any]) -> Account:
    """From `andon audit --json`."""
    lost: Counter[str] = Counter()
    for camera in report["cameras"]:
        lost.update(camera["lost"])
    conflicts = sum(camera["conflicts"] for camera in report["cameras"])
    return Account(
        report["ledger"], {reason: count for reason, count in lost.items() if count}, conflicts, report["balanced"]
    )


@dataclass(slots=True)
class Outcome:
    """What came of a soak. `complaints` is empty if it went as promised."""

    seed: int
    broker: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    ledger: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)
    """By reason, up to now."""
    events: Mapping[str, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def note(self, fault: Fault, recovery: Recovered, account: Account) -> list[str]:
        """Take what came of one fault; returns what was not as promised."""
        complaints = self._of_account(account, ALLOWED_LOSS.get(fault.kind, frozenset()))
        if recovery.still_away:
            complaints.append(f"not recovered after {RECOVERY_S:.0f} s: {', '.join(recovery.still_away)}")
        self.complaints += [f"fault {fault.number}, {fault.kind}: {complaint}" for complaint in complaints]
        return complaints

    def finish(self, account: Account, events: Mapping[str, int]) -> None:
        """Take the account after the drain, and what `compared` says of the events."""
        complaints = self._of_account(account, frozenset())
        self.ledger, self.events = account.ledger, events
        if left := account.ledger["in_flight"]:
            complaints.append(f"{left} frames were left in flight")
        complaints += [f"{count} events {what}" for what, count in events.items() if what != RAISED and count]
        self.complaints += [f"at the end: {complaint}" for complaint in complaints]

    def _of_account(self, account: Account, may_be_lost: frozenset[str]) -> list[str]:
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


def compared(replayed: Mapping[str, int], stored: frozenset[str], heard: Mapping[str, int]) -> dict[str, int]:
    """The line's events, stored and heard by an alert consumer, against those that the log gives; all 0 but RAISED."""
    return {
        RAISED: len(replayed),
        "missing from the store": len(replayed.keys() - stored),
        "in the store that the log does not give": len(stored - replayed.keys()),
        "never alerted": len(replayed.keys() - heard.keys()),
        "alerted that the log does not give": len(heard.keys() - replayed.keys()),
        "alerted twice": sum(count > 1 for count in heard.values()),
    }
