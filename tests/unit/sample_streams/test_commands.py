"""The package's commands."""

from pathlib import Path

from click.testing import CliRunner

from sample_streams.__main__ import main
from sample_streams.serve import url


def test_each_command_explains_itself() -> None:
    for command in ("clips", "train", "serve"):
        result = CliRunner().invoke(main, [command, "--help"])
        assert result.exit_code == 0
        assert "--help" in result.output


def test_a_clip_s_address_is_on_this_machine_and_plays_for_ever() -> None:
    assert url(8554, Path("clips/press-1.mp4")) == "rtsp://127.0.0.1:8554/press-1.mp4?play_count=0"
