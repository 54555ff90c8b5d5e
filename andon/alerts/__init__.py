"""The client for alert consumers: defects, or verdicts on parts, from a Redis stream, each at least once.

    async with DefectAlerts("redis://127.0.0.1:6379/0", group="plc") as alerts:
        async for alert in alerts:
            await stop_the_belt(alert.defect)
            await alert.ack()

    async with PartVerdicts("redis://127.0.0.1:6379/0", group="plc") as verdicts:
        async for verdict in verdicts:
            await eject_unless_passed(verdict.part)
            await verdict.ack()

The consumers of a group share the events, and the group remembers the acknowledged ones. While Redis is away, the
client waits. An event that a consumer took and did not acknowledge comes again: to itself at its next start, to any
consumer after `min_idle_s`.
"""

from andon.alerts.consumer import DefectAlerts, Delivery, PartVerdicts, Start
from andon.alerts.filters import DefectFilter, PartFilter
from andon.alerts.stream import DEFECTS, PARTS
from andon.alerts.tail import tail

Wanted = DefectFilter
"""The earlier name of DefectFilter."""
WantedParts = PartFilter
"""The earlier name of PartFilter."""

__all__ = [
    "DEFECTS",
    "PARTS",
    "DefectAlerts",
    "DefectFilter",
    "Delivery",
    "PartFilter",
    "PartVerdicts",
    "Start",
    "Wanted",
    "WantedParts",
    "tail",
]
