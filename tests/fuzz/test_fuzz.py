"""No input ends a process, however damaged it is: it is read or refused. `make fuzz` reads more."""

import json
import subprocess
import sys

import pytest

from tests.fuzz.reading import FuzzError, read
from tests.fuzz.records import mutated

RECORDS = 15_000
PICTURES = 15_000
MOST_GROWN_BYTES = 64_000_000
"""Room for a picture of 1 MB and a million pixels, with the decoder's own buffers."""
MOST_CPU_S = 5.0
"""CPU seconds for one picture. An undamaged one of that size takes some milliseconds."""


def test_every_damaged_record_is_read_or_refused() -> None:
    messages = sum(read(seed) for seed in range(RECORDS))
    assert RECORDS / 10 < messages < RECORDS * 9 / 10  # the damage is neither harmless nor total


def test_every_picture_is_decoded_or_refused_in_bounded_memory() -> None:
    child = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.decoding", "0", str(PICTURES)], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr[-3000:]
    figures = json.loads(child.stdout)
    assert figures["decoded"] + figures["quarantined"] == PICTURES
    assert min(figures["decoded"], figures["quarantined"]) > PICTURES / 20
    assert figures["most_grown_bytes"] < MOST_GROWN_BYTES, figures
    assert figures["slowest_cpu_s"] < MOST_CPU_S, figures


def test_a_seed_gives_the_same_record_again() -> None:
    assert [mutated(seed) for seed in range(50)] == [mutated(seed) for seed in range(50)]


def test_a_failure_names_its_seed_and_the_command_that_replays_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_record: object) -> None:
        raise KeyError("seq")

    monkeypatch.setattr("tests.fuzz.reading.decode", breaks)
    with pytest.raises(FuzzError, match=r"records 3: KeyError.*\n.*python -m tests.fuzz records --seed 3"):
        read(3)
