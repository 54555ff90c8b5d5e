"""`andon camera test` and the choice of `andon ingest`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from andon.cameras import changing
from andon.cli import main
from andon.errors import ConfigError
from andon.settings import Settings
from ingest.role import choose, outdated
from tests.videos import make_video


def line(*cameras: dict[str, object]) -> Settings:
    return Settings.model_validate({"cameras": cameras})


A: dict[str, object] = {"id": "a", "url": "a.mp4"}
B: dict[str, object] = {"id": "b", "url": "b.mp4", "enabled": False}


def test_a_camera_that_works_is_described_and_its_snapshot_saved(tmp_path: Path) -> None:
    clip, snapshot = make_video(tmp_path / "clip.mp4"), tmp_path / "snapshot.jpg"
    done = CliRunner().invoke(main, ["camera", "test", str(clip), "--json", "--snapshot", str(snapshot)])
    assert done.exit_code == 0
    facts = json.loads(done.stdout)
    assert (facts["width"], facts["height"], facts["codec"], facts["fps"]) == (160, 120, "h264", 25.0)
    assert snapshot.read_bytes().startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("settings", "travels"),
    [
        ({"encoding": "auto"}, "as its own h264: it is passed on"),
        ({"encoding": "jpeg"}, "as JPEG: encoding: jpeg"),
        ({"encoding": "auto", "deinterlace": "on"}, "as JPEG: deinterlace: on"),
        ({"encoding": "passthrough", "deinterlace": "on"}, None),
    ],
)
def test_it_says_how_the_pictures_of_a_camera_travel(
    tmp_path: Path, settings: dict[str, str], travels: str | None
) -> None:
    camera = {"id": "a", "url": str(make_video(tmp_path / "clip.mp4")), **settings}
    (tmp_path / "line.yaml").write_text(json.dumps({"cameras": [camera]}))
    given = ["camera", "test", "a", "-c", str(tmp_path / "line.yaml"), "--json"]
    done = CliRunner().invoke(main, given)
    if travels is None:
        assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
        assert "it can't be passed on: deinterlace: on: set encoding to auto" in done.stderr
    else:
        assert json.loads(done.stdout)["travels"] == travels


def test_without_json_it_is_a_table(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["camera", "test", str(make_video(tmp_path / "clip.mp4"))])
    assert "160x120 h264" in done.stdout


@pytest.mark.parametrize("url", ["none.mp4", "rtsp://u:gEh31m@127.0.0.1:99999/x", "ftp://u:gEh31m@h/x"])
def test_a_camera_that_does_not_work_is_one_line_and_exit_code_1(url: str) -> None:
    done = CliRunner().invoke(main, ["camera", "test", url])
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "gEh31m" not in done.stderr


def test_a_snapshot_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", 5)
    done = CliRunner().invoke(main, ["camera", "test", str(clip), "--snapshot", str(tmp_path / "no" / "a.jpg")])
    assert done.exit_code == 1
    assert "No such file or directory" in done.stderr


def test_all_enabled_cameras_run_unless_some_are_named() -> None:
    assert [camera.id for camera in choose(line(A, B), frozenset())] == ["a"]
    assert [camera.id for camera in choose(line(A, B), frozenset({"b"}))] == ["b"]


def test_an_unknown_camera_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no camera 'x' in this line; it has: a, b"):
        choose(line(A, B), frozenset({"x"}))


def test_a_line_without_cameras_says_so() -> None:
    with pytest.raises(ConfigError, match="there is none to watch"):
        choose(line(), frozenset())


def test_a_setting_of_an_older_version_is_accepted_and_named_once_as_without_effect() -> None:
    old = Settings.model_validate({"spool": {"segment_bytes": 16_000_000}})
    assert [event.what for event in outdated(old)] == ["spool.segment_bytes has no effect any more: remove it"]
    assert outdated(line(A)) == []


def test_a_camera_of_line_yaml_is_tried_with_its_own_settings(tmp_path: Path) -> None:
    make_video(tmp_path / "clip.mp4")
    path = tmp_path / "line.yaml"
    path.write_text(f"cameras: [{{id: press-1, url: {tmp_path}/clip.mp4, longest_side: 80, enabled: false}}]")
    snapshot = tmp_path / "snapshot.png"
    done = CliRunner().invoke(
        main, ["camera", "test", "press-1", "-c", str(path), "--snapshot", str(snapshot)], catch_exceptions=False
    )
    assert done.exit_code == 0
    with Image.open(snapshot) as image:
        assert image.size == (80, 60)


def test_a_camera_that_line_yaml_lacks_is_one_line_where_the_registry_cannot_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changing, "ANSWER_S", 0.05)
    path = tmp_path / "line.yaml"
    path.write_text('kafka: {bootstrap_servers: "127.0.0.1:1"}')
    done = CliRunner().invoke(main, ["camera", "test", "press-2", "-c", str(path)])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "camera press-2: not in line.yaml, and the registry can't be asked: no Kafka at 127.0.0.1:1" in done.stderr


def test_a_url_that_refers_to_a_secret_is_tried_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIP", str(make_video(tmp_path / "clip.mp4")))
    assert "160x120 h264" in CliRunner().invoke(main, ["camera", "test", "${CLIP}"]).stdout
    assert (
        "URL: the environment variable NOT_THERE is not set"
        in CliRunner().invoke(main, ["camera", "test", "${NOT_THERE}"]).stderr
    )
