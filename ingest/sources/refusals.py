"""Says in one line what a camera was asked for and did not accept."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    name: str
    """The setting's."""
    wanted: str
    reason: str
    """What the camera gives instead, or says."""


def noted(refusals: Iterable[Refusal]) -> list[str]:
    """One line, or none."""
    lines = [f"{item.name} {item.wanted} ({item.reason})" for item in refusals]
    return [f"the camera did not accept {', '.join(lines)}"] if lines else []
