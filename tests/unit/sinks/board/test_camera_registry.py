"""A person's change to a camera counts for the camera as the person saw it."""

import pytest

from andon.cameras.sections import digest
from andon.errors import ConfigError, FatalError
from andon.messages import CameraConfig
from andon.settings import Settings
from sinks.board.camera_registry import added, changed, removed
from tests.fakes import START

LINE = Settings()
URL = "rtsp://viewer:${PASSWORD}@10.0.0.5/s"
PRESS = CameraConfig(camera_id="press-1", settings={"url": URL, "fps": 5}, at=START)


def test_a_camera_is_added_once() -> None:
    new = added("press-2", {"url": URL}, LINE, START)
    wanted = new({"press-1": PRESS})
    assert wanted is not None
    assert (wanted.camera_id, wanted.settings) == ("press-2", {"url": URL})
    with pytest.raises(ConfigError, match="there is one already"):
        new({"press-2": PRESS})


def test_a_camera_with_its_password_in_the_url_is_refused_without_repeating_it() -> None:
    with pytest.raises(ConfigError) as refused:
        added("press-2", {"url": "rtsp://viewer:hunter2@10.0.0.5/s"}, LINE, START)
    assert "hunter2" not in str(refused.value)


def test_a_change_keeps_the_other_settings() -> None:
    after = changed("press-1", {"fps": None, "longest_side": 640}, LINE, START)({"press-1": PRESS})
    assert after is not None
    assert after.settings == {"url": URL, "longest_side": 640}


def test_a_change_to_a_camera_that_somebody_else_has_changed_meanwhile_is_refused() -> None:
    fingerprint = digest(PRESS.settings or {})
    other = PRESS.model_copy(update={"settings": {"url": URL, "fps": 9}})
    assert changed("press-1", {"fps": 10}, LINE, START, fingerprint)({"press-1": PRESS}) is not None
    with pytest.raises(FatalError, match="somebody else"):
        changed("press-1", {"fps": 10}, LINE, START, fingerprint)({"press-1": other})


def test_a_camera_that_is_not_there_can_be_neither_changed_nor_removed() -> None:
    for decide in (changed("press-9", {"fps": 1}, LINE, START), removed("press-9")):
        with pytest.raises(ConfigError, match="no such camera"):
            decide({"press-1": PRESS})
    assert removed("press-1")({"press-1": PRESS}) is None
