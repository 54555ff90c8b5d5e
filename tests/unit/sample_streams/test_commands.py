"""The package's commands."""

from pathlib import Path

from click.testing import CliRunner, Result

from sample_streams.__main__ import main
from sample_streams.serve import url
from sample_streams.truth import load


def test_each_command_explains_itself() -> None:
    for command in ("clips", "frames", "dataset", "train", "serve"):
        result = CliRunner().invoke(main, [command, "--help"])
        assert result.exit_code == 0
        assert f"Example: python -m sample_streams {command}" in " ".join(result.output.split())


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_a_clip_of_a_line_of_one_s_own_is_drawn_as_asked(tmp_path: Path) -> None:
    options = ("--seed", "7", "--count", "2", "--parts-per-minute", "240", "--seconds", "2", "--fps", "25")
    result = run("clips", "--out", str(tmp_path), *options)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.glob("*.mp4")) == ["line-7.mp4", "line-8.mp4"]
    truth = load(tmp_path / "line-8.truth.json")
    assert (truth.seed, truth.fps, truth.n_frames, truth.parts_per_minute) == (8, 25, 50, 240.0)


def test_the_demo_s_clips_can_not_be_drawn_otherwise_by_mistake(tmp_path: Path) -> None:
    result = run("clips", "--out", str(tmp_path), "--fps", "25")
    assert result.exit_code == 2
    assert "--fps needs a --seed" in result.output
    assert not list(tmp_path.iterdir())


def test_a_line_faster_than_any_was_trained_for_is_refused(tmp_path: Path) -> None:
    result = run("frames", "--out", str(tmp_path), "--parts-per-minute", "300")
    assert result.exit_code == 2
    assert "300.0 is not in the range 30.0<=x<=240.0" in result.output


def test_frames_are_written_to_look_at_and_counted(tmp_path: Path) -> None:
    result = run("frames", "--out", str(tmp_path), "--seconds", "1", "--every", "15", "--exposure-ms", "2")
    assert result.output.startswith("30 frames, 0 parts, ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0-00000.png", "0-00015.png"]


def test_a_data_set_without_pictures_is_refused(tmp_path: Path) -> None:
    result = run("dataset", "--out", str(tmp_path), "--train", "0", "--val", "0", "--test", "0")
    assert result.exit_code == 2
    assert "a data set needs pictures" in result.output


def test_a_data_set_is_written_with_its_description(tmp_path: Path) -> None:
    result = run("dataset", "--out", str(tmp_path), "--train", "2", "--val", "1", "--test", "0", "--seed", "5000")
    assert result.exit_code == 0, result.output
    assert sorted(path.stem for path in tmp_path.glob("images/train/*.jpg")) == ["5000", "5001"]
    assert (tmp_path / "data.yaml").exists()


def test_a_clip_s_address_is_on_this_machine_and_plays_for_ever() -> None:
    assert url(8554, Path("clips/press-1.mp4")) == "rtsp://127.0.0.1:8554/press-1.mp4?play_count=0"
