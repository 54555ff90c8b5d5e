"""A camera is tested by a process of its own, within a time limit, and no password stands in its command line."""

import asyncio
import sys
from pathlib import Path

import pytest

from andon.errors import ConfigError, RetryableError
from sinks.board.camera_trial import Trials

FOUND = """
import json, os, pathlib, sys
at = sys.argv[sys.argv.index("--snapshot") + 1]
pathlib.Path(at).write_bytes(b"jpeg")
secret = os.environ.get("ANDON_KAFKA__SASL_PASSWORD")
print(json.dumps({"width": 640, "url": sys.argv[-1], "secret": secret, "notes": ["a note"], "snapshot": at}))
"""


def trials(tmp_path: Path, program: str, limit_s: float = 60.0) -> Trials:
    script = tmp_path / "andon.py"
    script.write_text(program)
    return Trials((sys.executable, str(script)), limit_s)


async def test_a_camera_that_delivers_is_described_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDON_KAFKA__SASL_PASSWORD", "hunter2")
    tested = trials(tmp_path, FOUND)
    found = await tested.test("rtsp://viewer:${PASSWORD}@10.0.0.5/s")
    assert found.facts == {"width": 640, "url": "rtsp://viewer:${PASSWORD}@10.0.0.5/s", "secret": None}
    assert found.notes == ["a note"]
    assert found.snapshot is not None
    assert tested.snapshot(found.snapshot) == b"jpeg"
    assert tested.snapshot("another") is None


async def test_what_the_camera_complains_of_is_said_in_one_line(tmp_path: Path) -> None:
    program = "import sys; sys.exit('it connects\\nandon: 10.0.0.5: the camera refuses the login')"
    with pytest.raises(ConfigError, match=r"^andon: 10.0.0.5: the camera refuses the login$"):
        await trials(tmp_path, program).test("rtsp://10.0.0.5/s")


async def test_a_camera_that_hangs_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"within 0\.2 s"):
        await trials(tmp_path, "import time; time.sleep(600)", 0.2).test("rtsp://10.0.0.5/s")


@pytest.mark.parametrize("url", ["rtsp://viewer:hunter2@10.0.0.5/s", "--help"])
async def test_an_address_with_a_password_or_an_option_in_it_starts_nothing(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        await trials(tmp_path, FOUND).test(url)
    assert "hunter2" not in str(refused.value)


async def test_one_camera_is_tested_at_a_time(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    tested = trials(tmp_path, f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(600)")
    first = asyncio.create_task(tested.test("rtsp://10.0.0.5/s"))
    while not begun.exists():
        await asyncio.sleep(0.01)
    with pytest.raises(RetryableError, match="another camera"):
        await tested.test("rtsp://10.0.0.6/s")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
