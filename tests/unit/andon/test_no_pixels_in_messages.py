"""Pictures and records must not reach a log: every field of bytes is left out of its object's repr."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from andon.wire import Outgoing, Record

ROOT = Path(__file__).parents[3]
PACKAGES = ("andon", "ingest", "workers", "sinks", "deploy")
SHORT = {"andon/alerts/stream.py:ce_type", "andon/alerts/consumer.py:entry_id", "andon/alerts/group.py:_own"}
"""Ids of Redis and names of types."""


def fields_of_bytes() -> Iterator[tuple[str, bool]]:
    """`file:field` of every field of bytes in a class, and whether its class's repr leaves it out."""
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ClassDef):
                continue
            for line in node.body:
                if not isinstance(line, ast.AnnAssign) or not _holds_bytes(line.annotation):
                    continue
                left_out = line.value is not None and "repr=False" in ast.unparse(line.value)
                yield f"{path.relative_to(ROOT)}:{ast.unparse(line.target)}", left_out


def _holds_bytes(annotation: ast.expr) -> bool:
    text = ast.unparse(annotation)
    if "Callable" in text or "ClassVar" in text:
        return False
    names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    return bool(names & {"bytes", "bytearray", "memoryview", "Headers"})


def test_every_field_of_bytes_is_left_out_of_the_repr() -> None:
    shown = {name for name, left_out in fields_of_bytes() if not left_out}
    assert shown - SHORT == set()
    assert "andon/wire.py:value" in dict(fields_of_bytes())


@pytest.mark.parametrize(
    "record",
    [
        Record("t", 0, 1, 2, b"\xfe" * 99, b"\xff" * 99, [("h", b"\xfd" * 99)]),
        Outgoing(b"\xfe" * 99, b"\xff" * 99, [("h", b"\xfd" * 99)], 2),
    ],
)
def test_the_repr_of_a_record_holds_none_of_its_bytes(record: object) -> None:
    assert "\\x" not in repr(record)
