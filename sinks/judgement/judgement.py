"""What follows from a frame, or from the end of a session."""

from dataclasses import dataclass

from andon.messages import Defect, PartVerdict
from sinks.judgement.evidence import EvidenceOrder


@dataclass(frozen=True, slots=True)
class Judgement:
    """Events and verdicts in the order in which they are to leave, and the pictures to store."""

    events: tuple[Defect, ...] = ()
    orders: tuple[EvidenceOrder, ...] = ()
    verdicts: tuple[PartVerdict, ...] = ()

    def __add__(self, later: "Judgement") -> "Judgement":
        if later is NOTHING:
            return self
        return Judgement(self.events + later.events, self.orders + later.orders, self.verdicts + later.verdicts)


NOTHING = Judgement()
