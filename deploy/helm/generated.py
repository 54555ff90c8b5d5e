"""What the chart takes from Andon's code: `python -m deploy.helm.generated` writes it, and a test holds it in step.

A template can't import Python, so the defaults of line.yaml and two constants lie in a file of the chart, and the
schema of its values beside values.yaml.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from andon.process.watchdog import FORCE_S
from andon.settings import ScalingSettings, Settings
from andon.stream.topic_settings import ROOM_BYTES
from deploy.helm.values import ChartValues

CHART = Path(__file__).with_name("andon")
HTTP_PORT = 8080
"""As in the images. In line.yaml the default is any free port, which no probe would find."""
USED: dict[str, tuple[str, ...]] = {
    "kafka": (
        "frames_topic",
        "inspections_topic",
        "defects_topic",
        "quarantine_topic",
        "cameras_topic",
        "alarms_topic",
        "group_prefix",
        "partitions",
        "camera_partitions",
        "replication",
        "retention_minutes",
        "max_record_bytes",
        "start_timeout_s",
        "security_protocol",
        "sasl_mechanism",
    ),
    "run": ("drain_s",),
    "spool": ("max_bytes",),
    "worker": ("export_timeout_s", "load_timeout_s", "tune_timeout_s"),
}
"""Settings whose defaults the templates need."""
SHOWN = ("title", "description", "default", "format", "writeOnly")
"""What a JSON schema says besides what it checks."""


def files() -> dict[Path, str]:
    """Each file and its content."""
    return {CHART / "values.schema.json": _schema(), CHART / "files" / "andon.yaml": _constants()}


def _schema() -> str:
    schema = ChartValues.model_json_schema()
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **_bare(schema)}, indent=1) + "\n"


def _bare(schema: Any) -> Any:
    """Without what only explains: the schema then changes only if what it accepts changes."""
    if isinstance(schema, list):
        return [_bare(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _named(item) if key in ("properties", "$defs") else _bare(item) for key, item in _checks(schema)}


def _named(schemas: dict[str, Any]) -> dict[str, Any]:
    return {name: _bare(schema) for name, schema in schemas.items()}


def _checks(schema: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(key, item) for key, item in schema.items() if key not in SHOWN]


def _constants() -> str:
    settings = Settings().model_dump(mode="json")
    defaults = {section: {key: settings[section][key] for key in keys} for section, keys in USED.items()}
    constants = {
        "defaults": {**defaults, "http": {"port": HTTP_PORT}},
        "scaling": ScalingSettings().model_dump(mode="json"),
        "force_s": FORCE_S,
        "room_bytes": ROOM_BYTES,
    }
    return f"# Written by `python -m deploy.helm.generated`.\n{yaml.safe_dump(constants, sort_keys=False)}"


if __name__ == "__main__":
    for file, content in files().items():
        file.write_text(content)
