"""Cases of settings: what line.yaml says that can't work, and the line that says so before a line starts."""

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from andon import cli
from tests.cases.case import Case, rows
from tests.http_camera import http_camera, pictures
from tests.unit.ingest.jpegs import grey_jpeg
from tests.videos import make_video

SECRET = "gEh31m"


def fill(folder: Path) -> None:
    """What the cases name: a clip, a folder of pictures, weights, and things that are none of these."""
    make_video(folder / "clip.mp4", 10)
    (folder / "pictures").mkdir()
    (folder / "pictures" / "1.jpg").write_bytes(grey_jpeg(1))
    (folder / "nothing").mkdir()
    (folder / "notes.txt").write_text("no video")
    (folder / "good.pt").write_bytes(b"PK\x03\x04")
    (folder / "good.onnx").write_bytes(b"x")
    (folder / "empty.pt").write_bytes(b"")
    (folder / "pointer.pt").write_text("version https://git-lfs.github.com/spec/v1\n")
    (folder / "model.safetensors").write_bytes(b"x")


def checked(document: str, *options: str) -> tuple[int, list[str]]:
    """The exit code of `andon config check`, and the lines that it wrote to stderr."""
    Path("line.yaml").write_text(document)
    result = CliRunner().invoke(cli.main, ["config", "check", *options], catch_exceptions=False)
    return result.exit_code, result.stderr.splitlines()


def line(camera: str = "clip.mp4", weights: str = "good.pt", more: str = "") -> str:
    """A line that works, but for what is given."""
    return f"cameras: [{{id: c, url: '{camera}'{more}}}]\npools: {{default: {{model: {{weights: {weights}}}}}}}\n"


WRONG = (
    Case("weights that are missing are named", "seen by hand", (line(weights="none.pt"), "none.pt: no such file")),
    Case("weights that are not set are named", "seen by hand", (line(weights="''"), "weights: not set")),
    Case(
        "weights of no kind that is served are named", "seen by hand", (line(weights="model.safetensors"), "expected")
    ),
    Case("an empty file of weights is named", "seen by hand", (line(weights="empty.pt"), "the file is empty")),
    Case("a pointer of Git LFS is no model", "seen by hand", (line(weights="pointer.pt"), "Git LFS pointer")),
    Case(
        "a digest that the weights don't have is named",
        "seen by hand",
        (line(weights=f"good.pt, digest: '{'0' * 64}'"), "model.digest says 000"),
    ),
    Case(
        "a runtime that can't serve the file is named",
        "seen by hand",
        (line(weights="good.onnx, runtime: torch"), "torch can't serve good.onnx"),
    ),
    Case("a scheme that nobody reads is named", "mediamtx#1714", (line("srt://h/x"), "the url's scheme")),
    Case("a video file that is missing is named", "seen by hand", (line("none.mp4"), "none.mp4: no such file")),
    Case("a file that is no video is named", "seen by hand", (line("notes.txt"), "this is not a video")),
    Case("a folder without pictures is named", "seen by hand", (line("nothing"), "no images in this folder")),
    Case("a USB camera that is missing is named", "seen by hand", (line("usb:97"), "there is no /dev/video97")),
    Case("a USB url that names nothing is refused", "go2rtc#1237", (line("usb:front"), "a USB camera is named")),
    Case(
        "a USB camera's settings at another camera are named",
        "seen by hand",
        (line(more=", usb: {fps: 30}"), "the section `usb` is for usb: cameras"),
    ),
    Case(
        "an industrial camera's settings at another camera are named",
        "seen by hand",
        (line(more=", genicam: {fps: 30}"), "the section `genicam` is for gige: and usb3: cameras"),
    ),
    Case(
        "an industrial camera without a serial number is refused",
        "seen by hand",
        (line("gige:"), "an industrial camera is named gige:SERIAL"),
    ),
    Case(
        "a USB camera that is missing under its steady name is named",
        "go2rtc#1237",
        (line("usb:/dev/v4l/by-id/none"), "there is no /dev/v4l/by-id/none: is the camera plugged in?"),
    ),
    Case(
        "a part of the picture that is not there is named",
        "seen by hand",
        (line(more=", roi: [0, 0, 4000, 4000]"), "lies outside the picture"),
    ),
    Case(
        "a certificate that can't be read is named",
        "seen by hand",
        (line("rtsps://h/x", more=", ca_file: none.pem"), "ca_file none.pem: No such file"),
    ),
    Case(
        "a channel of an unknown type is named",
        "seen by hand",
        (line() + "sinks: {channels: {mes: {type: mqqt}}}", "sinks.channels.mes.type: no channel type 'mqqt'"),
    ),
    Case(
        "a store that no folder can hold is named",
        "seen by hand",
        (line() + "sinks: {store: 'sqlite:///notes.txt/andon.db'}", "sinks.store: notes.txt can't be a folder"),
    ),
    Case(
        "a store of a kind that is not supported is named",
        "seen by hand",
        (line() + "sinks: {store: 'mysql://u:gEh31m@h/x'}", "sinks.store: "),
    ),
    Case(
        "a folder for evidence that can't be made is named",
        "seen by hand",
        (line() + "sinks: {evidence: {url: notes.txt/pictures}}", "sinks.evidence.url: notes.txt/pictures"),
    ),
    Case(
        "a spool that no folder can hold is named",
        "seen by hand",
        (line() + "spool: {folder: notes.txt}", "spool.folder: notes.txt can't be a folder"),
    ),
    Case(
        "a broker's address that is none is named",
        "seen by hand",
        (line() + "kafka: {bootstrap_servers: 'kafka:port'}", "kafka.bootstrap_servers: 'kafka:port'"),
    ),
    Case(
        "an address for probes that is not this machine's is named",
        "seen by hand",
        (line() + "http: {host: 192.0.2.1}", "http.host: 192.0.2.1: Cannot assign requested address"),
    ),
    Case(
        "a login without a password is named",
        "seen by hand",
        (line() + "kafka: {security_protocol: SASL_PLAINTEXT, sasl_username: u}", "kafka.sasl_password: not set"),
    ),
    Case(
        "the broker's certificates that can't be read are named",
        "seen by hand",
        (line() + "kafka: {security_protocol: SSL, ssl_cafile: none.pem}", "kafka.ssl_cafile: none.pem"),
    ),
    Case(
        "an address of Redis that is none is named",
        "seen by hand",
        (line() + "redis: {url: 'http://:gEh31m@h'}", "redis.url: not a Redis URL"),
    ),
    Case(
        "a raw bracket in the password of Redis is said to need percent-encoding",
        "mediamtx#2069",
        (line() + "redis: {url: 'redis://:gEh[31m@h'}", "write /, ?, #, [, ] and @ in a password as"),
    ),
)


@rows(WRONG)
def test_config_check_fails_on_what_cannot_run(
    given: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, complaint = given
    monkeypatch.chdir(tmp_path)
    fill(tmp_path)
    code, faults = checked(document)
    assert code == 2
    (fault,) = faults
    assert fault.startswith("line.yaml: ")
    assert complaint in fault
    assert SECRET not in fault


@pytest.mark.parametrize(
    "document",
    [
        line(),
        line("pictures"),
        line("rtsp://h/x"),
        line() + "kafka: {bootstrap_servers: 'a:9092, b, [::1]:9092'}",
        line("none.mp4", more=", enabled: false"),
    ],
)
def test_config_check_passes_what_can_run(document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path)
    assert checked(document) == (0, [])


def test_config_check_names_every_fault_and_not_only_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path)
    code, faults = checked(line("none.mp4", weights="none.pt") + "sinks: {channels: {a: {type: x}, b: {type: y}}}")
    assert code == 2
    assert len(faults) == 4


def test_config_check_makes_no_file_and_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path)
    Path("line.yaml").write_text("")
    before = set(tmp_path.rglob("*"))
    assert checked(line() + "sinks: {store: 'sqlite:///data/x.db'}", "--online") == (0, [])
    assert set(tmp_path.rglob("*")) == before


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_config_check_online_passes_a_camera_that_delivers_and_names_one_that_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path)
    with http_camera(pictures(3)) as camera:
        assert checked(line(camera.url()), "--online") == (0, [])
    with http_camera([b"no picture"] * 3) as camera:
        code, faults = checked(line(camera.url()), "--online")
        assert (code, faults) == (1, ["line.yaml: camera c: it opened, but delivered no whole picture"])


AWAY = (
    Case("a camera that is away is named", "mediamtx#1714", ("rtsp://127.0.0.1:{port}/x", "", "connection refused")),
    Case(
        "a broker that is away is named",
        "seen by hand",
        ("clip.mp4", "kafka: {{bootstrap_servers: '127.0.0.1:{port}', start_timeout_s: 0.1}}", "no Kafka at 127.0.0.1"),
    ),
    Case(
        "a Redis that is away is named",
        "seen by hand",
        ("clip.mp4", "redis: {{url: 'redis://:gEh31m@127.0.0.1:{port}/0'}}", "redis at 127.0.0.1:"),
    ),
    Case(
        "a store that is away is named",
        "seen by hand",
        ("clip.mp4", "sinks: {{store: 'postgresql+psycopg://u:gEh31m@127.0.0.1:{port}/x'}}", "sinks.store: "),
    ),
)


@rows(AWAY)
def test_config_check_online_fails_on_what_does_not_answer(
    given: tuple[str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera, more, complaint = given
    monkeypatch.chdir(tmp_path)
    fill(tmp_path)
    port = unused_port()
    document = line(camera.format(port=port)) + more.format(port=port)
    assert checked(document) == (0, [])
    code, faults = checked(document, "--online")
    assert code == 1
    (fault,) = faults
    assert complaint in fault
    assert SECRET not in fault


def test_config_check_online_passes_a_file_whose_pictures_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path)
    assert checked(line("pictures"), "--online") == (0, [])


def test_up_with_weights_that_are_missing_says_that_alone_and_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path)
    Path("line.yaml").write_text(line(weights="none.pt"))
    result = CliRunner().invoke(cli.main, ["up"], catch_exceptions=False)
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        f"andon: line.yaml: pools.default.model.weights: none.pt: no such file (relative paths start at {tmp_path})"
    ]
    assert not Path("andon-data").exists()
