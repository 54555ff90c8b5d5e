"""What follows from a record: from the frame that it shows, and from the session that it ends."""

from dataclasses import dataclass

from andon.messages import Defect, PartVerdict
from sinks.judgement.evidence import EvidenceOrder
from sinks.judgement.spans import Span


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


@dataclass(frozen=True, slots=True)
class Consequences:
    """What follows from one record."""

    fresh: bool = True
    """False: it was accounted for before, and has changed the count of redeliveries only."""
    judgement: Judgement = NOTHING
    spans: tuple[Span, ...] = ()
