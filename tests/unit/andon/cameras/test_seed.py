"""What a start publishes of line.yaml's cameras."""

from andon.cameras.seed import Seed, seed_of
from andon.messages import CameraConfig
from tests.fakes import START

PRESS = {"id": "press-3", "url": "rtsp://10.0.0.3/stream", "fps": 5}


def seed(*cameras: dict[str, object], path: str = "line.yaml") -> Seed:
    return seed_of(cameras, "line", path)


def seeded(*cameras: dict[str, object], path: str = "line.yaml") -> CameraConfig:
    config = seed(*cameras, path=path).wanted("press-3", None, START)
    assert config is not None
    return config


def test_a_camera_that_is_new_in_line_yaml_is_published_without_its_id() -> None:
    config = seeded(PRESS)
    assert config.settings == {"url": "rtsp://10.0.0.3/stream", "fps": 5}
    assert config.origin == "line line.yaml"


def test_a_camera_whose_section_has_not_changed_stays_as_it_is() -> None:
    present = seeded(PRESS)
    assert seed(PRESS).wanted("press-3", present, START) is present


def test_what_was_set_at_runtime_holds_until_the_section_in_line_yaml_changes() -> None:
    present = seeded(PRESS)
    changed = present.model_copy(update={"settings": {**(present.settings or {}), "fps": 10}})
    assert seed(PRESS).wanted("press-3", changed, START) is changed
    again = seed({**PRESS, "jpeg_quality": 80}).wanted("press-3", changed, START)
    assert again is not None
    assert again.settings == {"url": "rtsp://10.0.0.3/stream", "fps": 5, "jpeg_quality": 80}


def test_a_camera_that_has_left_line_yaml_is_removed() -> None:
    assert seed().wanted("press-3", seeded(PRESS), START) is None


def test_a_camera_that_was_added_at_runtime_or_by_another_file_is_not_removed() -> None:
    added = CameraConfig(camera_id="press-3", settings={"url": "a.mp4"}, at=START)
    assert seed().wanted("press-3", added, START) is added
    other = seeded(PRESS, path="other.yaml")
    assert seed().wanted("press-3", other, START) is other


def test_line_yaml_takes_a_camera_over_that_was_added_at_runtime() -> None:
    added = CameraConfig(camera_id="press-3", settings={"url": "a.mp4"}, at=START)
    assert seed(PRESS).wanted("press-3", added, START) == seeded(PRESS)


def test_a_camera_that_another_file_names_in_the_same_words_stays_its_own() -> None:
    other = seeded(PRESS, path="other.yaml")
    assert seed(PRESS).wanted("press-3", other, START) is other
