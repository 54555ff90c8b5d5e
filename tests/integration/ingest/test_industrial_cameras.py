"""Aravis' own fake GigE camera as a camera of the line: settings, formats, losses, and what it does when it is away."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from andon import cli
from andon.clock import SystemClock
from andon.messages import CameraStatus, Frame
from andon.settings import CameraSettings, KafkaSettings, Settings
from ingest.check import check_online
from ingest.onvif import probing
from ingest.sources.choice import open_source
from ingest.sources.genicam_search import cameras_in_reach
from ingest.sources.source import FrameSource, NoPictureYetError, Picture, SourceError, try_read
from tests.gige_camera import GigeCamera, gige_camera, missing, with_more_features
from tests.integration.ingest.line import line_on, log, numbers, settings, until

pytestmark = pytest.mark.integration
CLOCK = SystemClock()
LOST = "gige:127.0.0.1: it can't be controlled any more (unplugged, without power, or taken over by an application?)"


@pytest.fixture(autouse=True)
def library() -> None:
    """Loads it, too, so it is looked for only where one of these tests runs."""
    if reason := missing():
        pytest.skip(reason)


@pytest.fixture
def camera() -> Iterator[GigeCamera]:
    with gige_camera() as running:
        yield running


def opened(url: str, read_timeout_s: float = 20.0, **genicam: object) -> FrameSource:
    patient = {"heartbeat_s": 30.0}  # this machine may be busy with other tests
    values = {"id": "c", "url": url, "read_timeout_s": read_timeout_s, "open_timeout_s": 20}
    values["genicam"] = {**patient, **genicam}
    return open_source(CameraSettings.model_validate(values), CLOCK)


def pixels(picture: Picture | None) -> NDArray[np.uint8]:
    assert picture is not None
    assert picture.bgr is not None
    return picture.bgr()


def waits_for(source: FrameSource) -> str:
    """What it waits for; a picture that it took before it heard of its trigger comes first."""
    for _ in range(100):
        try:
            try_read(source)
        except NoPictureYetError as error:
            return str(error)
    return f"nothing: {source.info}"


def whole(source: FrameSource) -> NDArray[np.uint8]:
    """The next picture that is not damaged: a busy machine may lose packets."""
    return next(pixels(picture) for picture in iter(source.read, None) if not picture.corrupt)


def test_it_is_found_by_its_serial_number_and_refused_by_another(camera: GigeCamera) -> None:
    assert f"gige:{camera.serial}" in [item.url for item in cameras_in_reach(20)]
    source = opened(f"gige:{camera.serial}")
    assert whole(source).shape == (512, 512, 3)
    source.close()
    with pytest.raises(SourceError, match="gige:none: no such camera") as caught:
        opened("gige:none")
    assert f"gige:{camera.serial} (Aravis Fake, 127.0.0.1)" in str(caught.value)


def test_it_takes_the_settings_that_it_has_and_names_the_others(camera: GigeCamera) -> None:
    source = opened(
        camera.url,
        width=320,
        height=240,
        x=64,
        y=32,
        fps=50,
        exposure_us=5000,
        gain=2,
        pixel_format="Mono8",
        packet_size=3000,
        heartbeat_s=5.0,
        reverse_x=True,
        features={"TestRegister": 77, "Nonsense": "On"},
    )
    assert (source.info.width, source.info.height, source.info.fps) == (320, 240, 50)
    (note,) = source.info.notes
    assert note.startswith("the camera did not accept Nonsense On (it has no such feature), reverse_x True (")
    assert "packet_size" not in note
    assert whole(source).shape == (240, 320, 3)
    source.close()


@pytest.fixture
def versatile(tmp_path: Path) -> Iterator[GigeCamera]:
    """One that has more features than Aravis' own."""
    with gige_camera() as plain:
        description = plain.description()
    (tmp_path / "camera.xml").write_text(with_more_features(description))
    with gige_camera(genicam=tmp_path / "camera.xml") as running:
        yield running


def test_a_camera_has_what_its_settings_say_when_it_delivers(versatile: GigeCamera) -> None:
    opened(versatile.url, exposure_us="auto", gain="auto").close()
    source = opened(
        versatile.url,
        exposure_us=5000,
        gain=3,
        reverse_x=True,
        reverse_y=False,
        trigger="Line0",
        features={"UserSetLoad": True, "TestBoolean": True},
    )
    assert source.info.notes == ()
    source.close()
    wanted = {
        "ExposureAuto": "Off",  # a number switches the automatic off
        "ExposureTimeAbs": "5000",
        "GainAuto": "Off",
        "GainRaw": "3",
        "ReverseX": "true",
        "ReverseY": "false",
        "TriggerMode": "On",
        "TriggerSource": "Line0",
        "UserSetLoadRegister": "7",
        "AcquisitionMode": "Continuous",
    }
    assert versatile.features(*wanted) == wanted


def test_automatics_are_switched_on_by_their_word_and_a_trigger_off_by_none(versatile: GigeCamera) -> None:
    opened(versatile.url, trigger="Line0").close()
    source = opened(versatile.url, exposure_us="auto", gain="auto")
    assert source.info.notes == ()
    source.close()
    wanted = {"ExposureAuto": "Continuous", "GainAuto": "Continuous", "TriggerMode": "Off"}
    assert versatile.features(*wanted) == wanted


def test_a_trigger_is_left_as_it_is_where_the_settings_say_so(versatile: GigeCamera) -> None:
    opened(versatile.url, trigger="Line0").close()
    opened(versatile.url, trigger="keep").close()
    assert versatile.features("TriggerMode") == {"TriggerMode": "On"}


def test_a_camera_that_says_how_deep_its_samples_are_is_believed(versatile: GigeCamera) -> None:
    source = opened(versatile.url, pixel_format="Mono16", width=64, height=32)
    dark = whole(source)
    source.close()
    features = {"PixelDynamicRangeMax": 4095}
    source = opened(versatile.url, pixel_format="Mono16", width=64, height=32, features=features)
    bright = whole(source)
    source.close()
    assert dark.min() < 255
    assert bright.min() == 255  # its samples use 16 bits: more than it says


def test_a_value_out_of_its_range_is_named(camera: GigeCamera) -> None:
    source = opened(camera.url, fps=100_000, pixel_format="Mono12")
    (note,) = source.info.notes
    assert "fps 100000.0 (it gives 1000.0)" in note
    assert "pixel_format Mono12 (" in note
    source.close()


@pytest.mark.parametrize("name", ["Mono8", "Mono16", "RGB8", "BayerRG8", "BayerGR8", "BayerGB8", "BayerBG8"])
def test_each_format_of_the_camera_becomes_its_picture(camera: GigeCamera, name: str) -> None:
    source = opened(camera.url, pixel_format=name, width=64, height=32)
    bgr = whole(source)
    source.close()
    assert source.info.codec == name
    assert bgr.shape == (32, 64, 3)
    assert bgr.max() > bgr.min()
    if name.startswith("Mono"):
        assert (bgr == bgr[:, :, :1]).all()
    else:
        assert np.ptp(bgr.mean(axis=(0, 1))) > 10


def test_pictures_with_missing_packets_are_damaged_and_those_that_never_came_are_counted() -> None:
    with gige_camera(lost_per_thousand=5) as camera:
        source = opened(camera.url, fps=100)
        pictures = [source.read() for _ in range(60)]
        source.close()
    damaged = [picture for picture in pictures if picture is not None and picture.corrupt]
    assert damaged
    assert all(picture.bgr is None for picture in damaged)
    assert {picture.damage.split(":")[0] for picture in damaged} <= {
        "missing-packets",
        "timeout",
        "cleared",  # seen on a busy machine: a buffer that was never begun
        "no packet of it arrived",
    }
    assert len(damaged) < 60
    unhurt = [picture for picture in pictures if picture is not None and not picture.corrupt]
    first = int(pixels(unhurt[0])[0, 0, 0])
    at = [index for index, picture in enumerate(pictures) if picture is not None and not picture.corrupt]
    levels = [int(pixels(picture)[0, 0, 0]) for picture in unhurt]
    assert [(level - first) % 255 for level in levels] == [(index - at[0]) % 255 for index in at]


def test_a_triggered_camera_waits_for_as_long_as_it_answers_and_is_lost_when_it_does_not(camera: GigeCamera) -> None:
    source = opened(camera.url, read_timeout_s=0.6, trigger="Line0")
    assert [waits_for(source), waits_for(source)] == ["waits for its trigger (Line0)"] * 2
    camera.freeze()
    with pytest.raises(SourceError, match=r"no picture for 0\.6 s|controlled any more"):
        source.read()
    camera.thaw()
    source.close()


HOLD = """
import sys
from andon.clock import SystemClock
from andon.settings import CameraSettings
from ingest.onvif import probing
from ingest.sources.choice import open_source
settings = {"id": "c", "url": sys.argv[1], "open_timeout_s": 20, "genicam": {"heartbeat_s": 30}}
source = open_source(CameraSettings.model_validate(settings), SystemClock())
source.read()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_camera_that_another_application_controls_is_refused_in_one_line(camera: GigeCamera) -> None:
    held = subprocess.Popen([sys.executable, "-c", HOLD, camera.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert held.stdout is not None
        assert held.stdout.readline() == b"held\n"
        with pytest.raises(SourceError) as caught:
            opened(camera.url)
    finally:
        held.kill()
        held.communicate()
    line = str(caught.value)
    assert line.startswith("gige:127.0.0.1: another application controls this camera: close it there")
    assert "\n" not in line


async def test_frames_flow_again_after_it_was_without_power_with_the_reason_and_without_a_gap_in_the_account(
    broker: KafkaSettings, camera: GigeCamera
) -> None:
    patient = {"heartbeat_s": 30.0}
    async with line_on(broker) as line:
        one = line.camera(settings("a", camera.url, open_timeout_s=10.0, read_timeout_s=2.0, genicam=patient))
        running = asyncio.ensure_future(one.run(line.stop))
        await until(lambda: one.captured >= 5)
        camera.kill()
        camera.start()
        await until(lambda: one.state == "offline")
        before = one.captured
        await until(lambda: one.captured >= before + 5)
        line.stop.set()
        await running
    opened(camera.url).close()  # it is free again at once, for whoever captures it next
    assert line.states("a")[:4] == ["connecting", "online", "offline", "online"]
    assert line.details("a")[2] in (LOST, "gige:127.0.0.1: no picture for 2 s")
    messages = await log(broker, "a")
    finals = [item for item in messages if isinstance(item, CameraStatus) and item.final]
    for final in finals:
        assert numbers(messages, final.session) == list(range(final.captured))
    assert {item.clock for item in messages if isinstance(item, Frame)} == {"camera"}


def test_camera_test_says_what_it_delivers(camera: GigeCamera) -> None:
    result = CliRunner().invoke(
        cli.main, ["camera", "test", camera.url, "--seconds", "0.5", "--json"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert (facts["codec"], facts["width"], facts["height"], facts["clock"]) == ("Mono8", 512, 512, "camera")
    assert facts["frames"] > facts["corrupt"]


def test_discover_prints_the_line_that_adds_it(camera: GigeCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "own_addresses", lambda interface: ("127.0.0.1",))
    done = CliRunner().invoke(cli.main, ["camera", "discover", "--seconds", "0.1"], catch_exceptions=False)
    assert done.exit_code == 0
    added = f"andon camera add gige:{camera.serial} --id aravis-fake-{camera.serial.lower()}"
    assert f"{added}  # Aravis Fake, 127.0.0.1" in done.stdout.splitlines()
    done = CliRunner().invoke(cli.main, ["camera", "discover", "--seconds", "0.1", "--json"], catch_exceptions=False)
    (found,) = [item for item in json.loads(done.stdout)["industrial"] if item["serial"] == camera.serial]
    assert (found["url"], found["address"], found["add"]) == (f"gige:{camera.serial}", "127.0.0.1", added)


def test_config_check_online_opens_it(camera: GigeCamera) -> None:
    values = {"id": "press", "url": camera.url, "open_timeout_s": 20, "read_timeout_s": 20}
    assert check_online(Settings.model_validate({"cameras": [values]})) == []
    wrong = {**values, "url": "gige:none"}
    (fault,) = check_online(Settings.model_validate({"cameras": [wrong]}))
    assert fault.startswith("camera press: gige:none: no such camera")
