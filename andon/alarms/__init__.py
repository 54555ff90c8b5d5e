"""Alarms as they travel: what the sinks publish of them, and what people ask the sinks to do with them.

The states are those of ISA-18.2 (IEC 62682). `requests` sends a person's request.
"""

from andon.alarms.messages import (
    MAX_SHELVED_S,
    Alarm,
    AlarmAction,
    AlarmChange,
    AlarmKind,
    AlarmRequest,
    AlarmState,
    alarm_id,
)

__all__ = [
    "MAX_SHELVED_S",
    "Alarm",
    "AlarmAction",
    "AlarmChange",
    "AlarmKind",
    "AlarmRequest",
    "AlarmState",
    "alarm_id",
]
