import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from andon.commands.init import TEMPLATE
from andon.config import load
from andon.errors import ConfigError
from andon.settings import Settings


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


def test_the_given_environment_alone_overrides_the_file(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line.write_text("kafka: {partitions: 3}")
    monkeypatch.setenv("ANDON_KAFKA__PARTITIONS", "7")
    assert load(line, {"ANDON_KAFKA__PARTITIONS": "5"}).kafka.partitions == 5
    assert load(line, {}).kafka.partitions == 3


def test_a_secret_is_read_from_the_environment_and_never_shown(line: Path) -> None:
    line.write_text('cameras: [{id: c, url: "rtsp://u:${PASSWORD}@h/x"}]')
    settings = load(line, {"PASSWORD": "s3cret"})
    assert settings.cameras[0].url.get_secret_value() == "rtsp://u:s3cret@h/x"
    assert "s3cret" not in repr(settings)


def test_a_secret_is_read_from_a_file_without_its_last_newline(line: Path) -> None:
    (line.parent / "secret").write_text("s3cret \n")
    line.write_text(f"kafka: {{sasl_password: '${{file:{line.parent}/secret}}'}}")
    settings = load(line, {})
    assert settings.kafka.sasl_password.get_secret_value() == "s3cret "
    assert "s3cret" not in repr(settings)


def test_secrets_of_both_kinds_may_stand_inside_one_value(line: Path) -> None:
    (line.parent / "secret").write_text("b\r\n")
    line.write_text(f"redis: {{url: 'redis://${{USER}}:${{file:{line.parent}/secret}}@h'}}")
    assert load(line, {"USER": "a"}).redis.url.get_secret_value() == "redis://a:b@h"


def test_a_secret_file_that_is_no_text_is_one_line(line: Path) -> None:
    (line.parent / "secret").write_bytes(b"\xff\xfe")
    line.write_text(f"line: '${{file:{line.parent}/secret}}'")
    with pytest.raises(ConfigError, match=r"^line: .*secret: not UTF-8 text$"):
        load(line, {})


@pytest.mark.parametrize(
    "text",
    ["url: 'rtsp://u:s3cret@h", "a: s3cret: b", "- [s3cret", "\ts3cret: 1", "a: @s3cret", "a: *s3cret", "a: !s3cret x"],
)
def test_a_mistake_in_the_yaml_is_placed_but_not_quoted(line: Path, text: str) -> None:
    line.write_text(text)
    with pytest.raises(ConfigError, match=r"not valid YAML: line \d+, column \d+: ") as caught:
        load(line, {})
    assert "s3cret" not in str(caught.value)


def test_a_mistake_that_spans_a_section_does_not_show_its_secrets(line: Path) -> None:
    line.write_text(
        "redis: {url: 'redis://:s3cret@h', timeout_s: 0}\ncameras: [{id: c, url: s3cret, roi: [0, 0, 0, 1]}]"
    )
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(yaml.safe_load(line.read_text()))
    assert "s3cret" not in str(caught.value)


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
        ("cameras: [{id: c, url: x, fps: .inf}]", "cameras.0.fps: Input should be a finite number"),
        ("a: [", "not valid YAML"),
        ("- 1", "expected `key: value` lines"),
        ("line: ${NOWHERE}", "line: the environment variable NOWHERE is not set"),
        ("line: ${file:/nowhere/secret}", "line: /nowhere/secret: No such file or directory"),
        ("sinks: {evidence: {url: 'sftp://u:p@h/x'}}", "sinks.evidence.url: keep user and password out of it"),
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


def test_parts_are_not_followed_unless_their_class_is_named(line: Path) -> None:
    assert load(None, {}).parts is None
    line.write_text("parts: {class: part}")
    parts = load(line, {}).parts
    assert parts is not None
    assert (parts.label, parts.line, parts.min_frames) == ("part", ((0.75, 0.0), (0.75, 1.0)), 3)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("parts: {min_frames: 3}", "parts.class: Field required"),
        ("parts: {class: part, label: part}", "parts.label: no such key"),
        ("parts: {clas: part}", "parts.clas: no such key; did you mean `class`?"),
        ("parts: {class: part, line: [[0, 0], [0, 0]]}", "parts.line: the two points of a line must differ"),
        (
            "parts: {class: part, line: [[640, 0], [640, 480]]}",
            "parts.line.0.0: Input should be less than or equal to 1",
        ),
        ("parts: {class: part, min_frames: 0}", "parts.min_frames: Input should be greater than or equal to 1"),
        ("{parts: {class: a}, defects: {classes: {a: {}}}}", "the class 'a' is the part's (parts.class), and in"),
        ("cameras: [{id: c, url: x, parts: {line: [[1, 1], [1, 1]]}}]", "cameras.0.parts.line: the two points"),
    ],
)
def test_a_mistake_in_parts_is_one_line(line: Path, text: str, complaint: str) -> None:
    line.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(line, {})
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_the_examples_of_the_page_on_parts_are_valid(line: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "parts.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    line.write_text("".join(examples))
    settings = load(line, {})
    assert settings.parts is not None
    assert settings.cameras[0].parts is not None
    assert settings.cameras[0].parts.min_frames == 5


def test_the_template_shows_how_to_follow_parts(line: Path) -> None:
    lines = TEMPLATE.read_text(encoding="utf-8").splitlines()
    first = lines.index(next(text for text in lines if text.startswith("# parts:")))
    line.write_text("\n".join(text.removeprefix("# ") for text in lines[first : first + 4]))
    assert load(line, {}).parts is not None
