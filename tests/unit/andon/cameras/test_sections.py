"""What may be published of a camera's section of line.yaml, and what an ingester makes of it."""

from pathlib import Path

import pytest

from andon.cameras.sections import OWN, digest, holds_secret, published, require_no_password, settings_of
from andon.errors import ConfigError
from andon.messages import CameraConfig
from andon.settings import CameraSettings
from tests.fakes import START

LITERAL = [
    "rtsp://user:hunter2@10.0.0.7/stream",
    "rtsp://user:hunt/er2@10.0.0.7/stream",
    "rtsp://user:hunter2${SUFFIX}@10.0.0.7/stream",
    "http://10.0.0.7/video?user=a&pwd=hunter2",
    "rtsp://10.0.0.7/user=admin_password=hunter2_channel=1.sdp",
    "https://[10.0.0.7/hunter2",
]
PLAIN = [
    "rtsp://10.0.0.7:554/stream",
    "rtsp://user@10.0.0.7/stream",
    "rtsp://user:${PRESS_3}@10.0.0.7/stream",
    "rtsp://${USER}:${file:/run/secrets/press-3}@10.0.0.7/stream",
    "http://10.0.0.7/video?pwd=${PRESS_3}&resolution=640x480",
    "${PRESS_3_URL}",
    "clips/press.mp4",
    "file:///clips/a:b@c.mp4",
    "usb:/dev/v4l/by-id/camera",
]


def config(**settings: object) -> CameraConfig:
    return CameraConfig.model_validate({"camera_id": "press-3", "settings": settings, "at": START})


@pytest.mark.parametrize("url", LITERAL)
def test_a_password_in_a_url_is_not_published(url: str) -> None:
    shown = published({"id": "press-3", "url": url, "fps": 5})
    assert "hunt" not in str(shown)
    assert OWN in str(shown["url"])
    assert shown["fps"] == 5


@pytest.mark.parametrize("url", LITERAL)
def test_a_password_that_somebody_types_is_refused_in_one_line_that_does_not_repeat_it(url: str) -> None:
    with pytest.raises(ConfigError, match=r"write \$\{VAR\}") as error:
        require_no_password(url)
    assert "hunt" not in str(error.value)


@pytest.mark.parametrize("url", PLAIN)
def test_a_url_without_a_password_is_published_as_it_is_written(url: str) -> None:
    assert not holds_secret(url)
    assert published({"id": "press-3", "url": url}) == {"url": url}


def test_user_host_and_path_are_shown_beside_the_place_of_the_password() -> None:
    assert published({"id": "a", "url": LITERAL[0]}) == {"url": "rtsp://user:${line.yaml}@10.0.0.7/stream"}


def test_references_are_read_on_the_ingesters_own_machine(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\n")
    url = f"rtsp://${{USER}}:${{file:{tmp_path / 'password'}}}@10.0.0.7/stream"
    settings = settings_of(config(url=url, fps=5), environ={"USER": "andon"})
    assert settings.url.get_secret_value() == "rtsp://andon:hunter2@10.0.0.7/stream"
    assert (settings.id, settings.fps) == ("press-3", 5.0)


def test_a_password_that_was_kept_out_is_found_in_the_ingesters_own_line() -> None:
    own = CameraSettings.model_validate({"id": "press-3", "url": LITERAL[0]})
    settings = settings_of(config(url=published({"id": "press-3", "url": LITERAL[0]})["url"], fps=5), [own])
    assert settings.url == own.url
    assert settings.fps == 5.0


def test_an_ingester_without_the_password_says_so_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"camera press-3: its password stands in another ingester's line\.yaml"):
        settings_of(config(url=f"rtsp://user:{OWN}@10.0.0.7/stream"))
    with pytest.raises(ConfigError, match=r"camera press-3\.url: the environment variable PRESS_3 is not set"):
        settings_of(config(url="rtsp://user:${PRESS_3}@10.0.0.7/stream"), environ={})


def test_a_setting_that_is_wrong_is_named_without_its_value() -> None:
    with pytest.raises(ConfigError, match="camera press-3: fps: Input should be greater than 0"):
        settings_of(config(url="clip.mp4", fps=-1))
    with pytest.raises(ConfigError, match="camera press-3: fsp: no such key; did you mean `fps`"):
        settings_of(config(url="clip.mp4", fsp=1))


def test_the_digest_depends_on_the_content_and_not_on_its_order() -> None:
    assert digest({"url": "a", "fps": 5}) == digest({"fps": 5, "url": "a"}) != digest({"url": "a", "fps": 6})


def test_a_number_that_json_has_not_is_refused() -> None:
    text = config(url="clip.mp4", fps=15).model_dump_json().replace("15", "1e999")
    with pytest.raises(ValueError, match="JSON compliant"):
        CameraConfig.model_validate_json(text)
