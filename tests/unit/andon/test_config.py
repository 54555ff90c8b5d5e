from pathlib import Path

import pytest

from andon.config import load
from andon.errors import ConfigError


@pytest.fixture
def line(tmp_path: Path) -> Path:
    return tmp_path / "line.yaml"


def test_defaults_describe_a_line_on_this_machine() -> None:
    settings = load(None, {})
    assert settings.kafka.bootstrap_servers == "127.0.0.1:9092"
    assert settings.http.host == "127.0.0.1"


def test_the_environment_overrides_the_file(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line.write_text("kafka: {partitions: 3, replication: 2}")
    monkeypatch.setenv("ANDON_KAFKA__PARTITIONS", "7")
    kafka = load(line).kafka
    assert (kafka.partitions, kafka.replication) == (7, 2)


def test_a_secret_is_read_from_the_environment_and_never_shown(line: Path) -> None:
    line.write_text('cameras: [{id: c, url: "rtsp://u:${PASSWORD}@h/x"}]')
    settings = load(line, {"PASSWORD": "s3cret"})
    assert settings.cameras[0].url.get_secret_value() == "rtsp://u:s3cret@h/x"
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("lin: 3", "lin: no such key; did you mean `line`?"),
        ("cameras: [{id: c, url: x, polcy: lossless}]", "cameras.0.polcy: no such key; did you mean `policy`?"),
        ("defects: {classes: {scratch: {severty: minor}}}", "severty: no such key; did you mean `severity`?"),
        ("pools: {default: {batch: {siz: 1}}}", "siz: no such key; did you mean `size`?"),
        ("cameras: [{id: c, url: x}, {id: c, url: y}]", "cameras: camera 'c' is there twice"),
        ("cameras: [{id: c, url: x, pool: fast}]", "camera 'c' is in pool 'fast'; the pools are: default"),
        ("cameras: [{id: c, url: x, roi: [0, 0, 0, 5]}]", "width and height 1 or more"),
        ("defects: {confirm_frames: 9, confirm_window: 3}", "confirm_frames is above confirm_window"),
        ("kafka: {partitions: many}", "kafka.partitions: Input should be a valid integer"),
        ("a: [", "not valid YAML"),
        ("- 1", "expected `key: value` lines"),
        ("line: ${NOWHERE}", "line: the environment variable NOWHERE is not set"),
    ],
)
def test_a_mistake_is_one_line_with_the_key_and_what_to_do(line: Path, text: str, complaint: str) -> None:
    line.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(line, {})
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mistake_beside_a_secret_does_not_show_the_secret(line: Path) -> None:
    line.write_text("cameras: [{id: c, url: 'rtsp://u:s3cret@h', roi: [1]}]")
    with pytest.raises(ConfigError) as caught:
        load(line, {})
    assert "s3cret" not in str(caught.value)


def test_a_missing_file_says_how_to_get_one(line: Path) -> None:
    with pytest.raises(ConfigError, match="andon init"):
        load(line, {})


def test_a_misspelt_override_is_a_mistake_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDON_KAFKA__PARTITION", "7")
    with pytest.raises(ConfigError, match="did you mean `partitions`"):
        load(None)
