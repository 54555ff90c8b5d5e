"""The form of a camera: its fields from and to the camera's section as line.yaml writes it. Pure.

The usual settings have a field each; all others are lines of KEY=VALUE, as `andon camera set` takes them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import yaml
from pydantic import JsonValue

from andon.cameras.edits import assignments
from andon.cameras.sections import Section
from andon.errors import ConfigError

FIELDS = ("url", "fps", "longest_side", "roi", "policy", "pool", "site", "transport")
TEXTS = frozenset({"url", "policy", "pool", "site", "transport"})
"""Taken as they are written; all others as YAML reads them."""
MOST_LINES = 100


@dataclass(frozen=True, slots=True)
class CameraForm:
    camera_id: str
    fields: Mapping[str, str]
    """By FIELDS; empty: the default."""
    others: str = ""
    """A line for each other setting."""

    @classmethod
    def of(cls, camera_id: str, section: Mapping[str, JsonValue]) -> "CameraForm":
        others = [f"{key}={_text(value)}" for key, value in section.items() if key not in FIELDS]
        fields = {key: _field(key, section.get(key)) for key in FIELDS}
        return cls(camera_id, fields, "\n".join(others))

    @classmethod
    def sent(cls, camera_id: str, form: Mapping[str, object]) -> "CameraForm":
        fields = {key: str(form.get(key) or "").strip() for key in FIELDS}
        return cls(camera_id, fields, str(form.get("others") or ""))

    def section(self) -> Section:
        """The camera's section. Raises ConfigError where a value can't be read."""
        lines = [line.strip() for line in self.others.splitlines() if line.strip()]
        if len(lines) > MOST_LINES:
            raise ConfigError(f"more than {MOST_LINES} lines of other settings")
        read = assignments([f"{key}={value}" for key, value in self.fields.items() if value and key not in TEXTS])
        texts: Section = {key: value for key, value in self.fields.items() if value and key in TEXTS}
        others = assignments(lines)
        if twice := sorted(set(FIELDS) & others.keys()):
            raise ConfigError(f"{', '.join(twice)}: has a field of its own above")
        if "id" in others:
            raise ConfigError("id: an id is for ever, because the account hangs on it: add another camera")
        return texts | read | others

    def changes(self, present: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """What turns `present` into this form's section; None: the default."""
        wanted = self.section()
        gone: dict[str, JsonValue] = {key: None for key in present if key not in wanted}
        return gone | {key: value for key, value in wanted.items() if present.get(key) != value}


def _field(key: str, value: JsonValue) -> str:
    if value is None:
        return ""
    return str(value) if key in TEXTS else _text(value)


def _text(value: JsonValue) -> str:
    """As YAML in one line, so that it is read back as it was."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n...\n").strip()
    return json.dumps(value) if "\n" in text else text
