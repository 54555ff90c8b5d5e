"""`andon camera discover` against ONVIF cameras on loopback."""

import functools
import json
import shlex
import sys
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result

from andon.cli import main
from andon.errors import ConfigError
from ingest.commands import camera_discovery as command
from ingest.onvif import probing
from ingest.onvif.device import ask
from ingest.onvif.probing import Answer, OnvifSearch, own_addresses, search
from tests.onvif_camera import Encoder, Habits, Reply, onvif_camera, responder

pytestmark = pytest.mark.integration
LOGIN = ["--login", "viewer:${CAMERA_PASSWORD}"]
LONG_S = 60.0
"""Nothing here waits for it: a search ends with the answer that it is to find."""


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMERA_PASSWORD", "gEh31m%21")


def discover(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["camera", "discover", *arguments], catch_exceptions=False)


def added(output: str) -> list[list[str]]:
    """The words of each line, as a shell reads them."""
    return [shlex.split(line, comments=True) for line in output.splitlines()]


async def test_a_camera_that_answers_by_multicast_is_found_with_its_name() -> None:
    with responder([Reply("http://[fe80::1]/onvif/device_service http://127.0.0.1:8123/onvif/device_service")]) as port:
        answers = await search(OnvifSearch(("127.0.0.1",), LONG_S, 1, port))
    (found,) = answers.found.values()
    assert (found.url, found.host, found.name, found.model) == ("http://127.0.0.1:8123", "127.0.0.1", "ACME X1", "X1")


async def test_a_camera_that_answers_to_the_newer_type_only_is_found() -> None:
    with responder([Reply("http://127.0.0.1/")], answers_to=":Device<") as port:
        answers = await search(OnvifSearch(("127.0.0.1",), LONG_S, 1, port))
    assert list(answers.found) == ["http://127.0.0.1:80"]


async def test_two_hundred_answers_are_two_hundred_cameras_and_a_search_ends_at_its_bound() -> None:
    replies = [Reply(f"http://127.0.0.1:{1000 + number}/") for number in range(200)]
    with responder(replies) as port:
        assert len((await search(OnvifSearch(("127.0.0.1",), LONG_S, 200, port))).found) == 200
        assert len((await search(OnvifSearch(("127.0.0.1",), LONG_S, 50, port))).found) == 50


async def test_answers_that_are_none_are_counted_and_hide_no_camera() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'
    replies = [Reply(raw=b"\xff\x00"), Reply(raw=bomb), Reply("http://127.0.0.1/", relates_to="urn:uuid:another")]
    with responder([*replies, Reply("soap.udp://127.0.0.1:9"), Reply("http://127.0.0.1:81/")]) as port:
        answers = await search(OnvifSearch(("127.0.0.1",), LONG_S, 1, port))
    assert list(answers.found) == ["http://127.0.0.1:81"]
    assert answers.unreadable == 4


async def test_a_camera_that_names_another_host_is_asked_where_it_answered() -> None:
    with responder([Reply("http://10.9.8.7:8080/onvif/device_service")]) as port:
        answers = await search(OnvifSearch(("127.0.0.1",), LONG_S, 1, port))
    assert list(answers.found) == ["http://127.0.0.1:8080"]


async def test_a_search_that_nobody_answers_ends_at_its_time() -> None:
    assert (await search(OnvifSearch(("127.0.0.1",), 0.05, 1, 9))).found == {}


def test_an_interface_that_is_not_there_is_one_line_that_names_those_that_are() -> None:
    done = discover("--interface", "eth77")
    assert done.exit_code == 2
    assert done.stderr.startswith("andon: --interface eth77: no such one; its interfaces: ")
    assert "lo (127.0.0.1)" in done.stderr
    assert own_addresses("lo") == own_addresses("127.0.0.1") == ("127.0.0.1",)
    assert "127.0.0.1" not in own_addresses(None)


@pytest.fixture
def one_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "MOST", 1)


@pytest.mark.usefixtures("one_is_enough")
def test_the_command_searches_asks_and_prints_a_line_for_each_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    encoders = (Encoder(), Encoder("sub", "JPEG", 640, 360, 5, 20, "rtsp://127.0.0.1:554/stream2?a=1&b=2"))
    habits = Habits(encoders, "viewer", "gEh31m!", clock_ahead=timedelta(days=-3))
    with onvif_camera(habits) as camera, responder([Reply(f"http://{camera.host}/onvif/device_service")]) as port:
        monkeypatch.setattr(probing, "OnvifSearch", functools.partial(OnvifSearch, port=port))
        done = discover("--interface", "lo", "--seconds", str(LONG_S), *LOGIN)
    assert done.exit_code == 0, done.stderr
    login = "viewer:${CAMERA_PASSWORD}@"
    assert added(done.stdout) == [
        ["andon", "camera", "add", f"rtsp://{login}127.0.0.1:554/stream1", "--id", "acme-x1-1"],
        ["andon", "camera", "add", f"rtsp://{login}127.0.0.1:554/stream2?a=1&b=2", "--id", "acme-x1-1-2"],
    ]
    assert "# 1920x1080 h264 25 fps 4096 kbit/s, main, ACME X1\n" in done.stdout
    assert "# 640x360 mjpeg 5 fps 4096 kbit/s, sub, ACME X1\n" in done.stdout
    assert "gEh31m" not in done.stdout + done.stderr


def test_hosts_that_are_named_are_asked_without_a_search_and_json_has_the_same() -> None:
    with onvif_camera(Habits((Encoder(gov_length=125),))) as camera:
        done = discover(camera.host, "--json")
    assert done.exit_code == 0, done.stderr
    (device,) = json.loads(done.stdout)["devices"]
    (profile,) = device.pop("profiles")
    assert device == {"host": "127.0.0.1", "name": "", "model": "ACME X1", "fault": None}
    assert profile == {
        "name": "main",
        "url": "rtsp://127.0.0.1:554/stream1",
        "codec": "h264",
        "width": 1920,
        "height": 1080,
        "fps": 25.0,
        "kbps": 4096,
        "keyframe_s": 5.0,
        "id": "acme-x1-1",
        "add": "andon camera add rtsp://127.0.0.1:554/stream1 --id acme-x1-1",
    }


def test_rare_keyframes_stand_beside_the_stream() -> None:
    with onvif_camera(Habits((Encoder(gov_length=125),))) as camera:
        assert "a keyframe only every 5 s: set 1 to 2 s" in discover(camera.host).stdout


@pytest.mark.parametrize(
    ("login", "expected"),
    [([], "it wants a login: --login 'USER:${VARIABLE}'"), (LOGIN, "it refuses this login: check --login")],
)
def test_a_camera_that_refuses_the_login_is_one_line(login: list[str], expected: str) -> None:
    with onvif_camera(Habits(user="viewer", password="another")) as camera:
        done = discover(camera.host, *login)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [f"127.0.0.1: {expected}", "andon: no camera that says where its stream is"]


async def test_a_camera_that_never_answers_has_a_time_limit() -> None:
    with onvif_camera(Habits(answers="silence")) as camera:
        device = await ask(Answer(f"http://{camera.host}"), None, 0.3)
    assert device.fault == "no answer within 0.3 s"


async def test_an_answer_without_end_is_cut_off() -> None:
    with onvif_camera(Habits(answers="flood")) as camera:
        device = await ask(Answer(f"http://{camera.host}"), None, LONG_S)
    assert device.fault == "its answer is longer than 4000000 bytes"


def test_cameras_that_are_none_hide_no_other() -> None:
    with onvif_camera(Habits(answers="garbage")) as strange, onvif_camera() as whole:
        done = discover(strange.host, whole.host, "127.0.0.1:1")
    assert done.exit_code == 0
    assert [words[3] for words in added(done.stdout)] == ["rtsp://127.0.0.1:554/stream1"]
    assert sorted(done.stderr.splitlines()) == [
        "127.0.0.1: it can't be reached (Connection refused)",
        "127.0.0.1: what answers there is no ONVIF camera (XMLSyntaxError)",
    ]


def test_what_a_camera_says_of_itself_does_nothing_to_a_shell_or_a_terminal() -> None:
    encoders = (
        Encoder("\u001b[2J; rm -rf /".replace("\u001b", "\u009b"), url="rtsp://127.0.0.1/a'$(id);`id`"),
        Encoder(url="rtsp://u:p@127.0.0.1/${file:/etc/passwd}"),
        Encoder(url="file:///etc/passwd"),
        Encoder(url="-o x"),
    )
    with onvif_camera(Habits(encoders)) as camera:
        done = discover(camera.host)
    assert done.stdout.isascii()
    assert [words[3] for words in added(done.stdout)] == [
        "rtsp://127.0.0.1/a'$(id);`id`",
        "rtsp://127.0.0.1/%24%7Bfile:/etc/passwd}",
    ]
    assert done.stderr.count("its address is no rtsp:// url") == 2


def test_the_login_does_not_follow_a_camera_to_another_host() -> None:
    habits = Habits(user="viewer", password="gEh31m!", media_host="192.0.2.99")
    with onvif_camera(habits) as camera:
        done = discover(camera.host, *LOGIN)
    assert done.exit_code == 0
    assert camera.requests[-3:] == ["GetProfiles", "GetDeviceInformation", "GetStreamUri"]


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        ("viewer:gEh31m", "everyone on this machine can read a password on a command line"),
        ("viewer", "no user and password"),
        ("viewer:${NOT_THERE}", "the environment variable NOT_THERE is not set"),
        ("viewer:${file:/not/there}", "/not/there: No such file or directory"),
    ],
)
def test_a_login_that_is_none_is_refused_before_anything_is_asked(login: str, expected: str) -> None:
    done = discover("127.0.0.1:1", "--login", login)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert expected in done.stderr
    assert "gEh31m" not in done.stderr


def test_nobody_is_one_line_that_says_what_to_look_at() -> None:
    done = discover("--interface", "lo", "--seconds", "0.1")
    assert done.exit_code == 1
    assert done.stderr.startswith("andon: no ONVIF camera answered within 0.1 s: ")


def test_without_its_libraries_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("ingest.onvif")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "wsdiscovery", None)
    done = discover()
    assert done.exit_code == 2
    assert done.stderr == "andon: `andon camera discover` needs wsdiscovery: pip install 'andon[ingest,onvif]'\n"


def test_an_address_that_is_not_this_machines_is_refused() -> None:
    with pytest.raises(ConfigError, match="is it an address of this machine"):
        probing._socket("192.0.2.250")


def test_a_host_that_is_none_is_refused() -> None:
    for host in ("http://", "ftp://a", "a:99999", "u:p@a"):
        assert discover(host).exit_code == 2
