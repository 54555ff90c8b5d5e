"""Of a camera's address pages show where it is, and nothing that may be a secret."""

import pytest

from sinks.board.shown_url import shown_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://viewer:${PASSWORD}@10.0.0.5:554/secret?token=x", "rtsp://10.0.0.5:554"),
        ("http://[::1]:8080/a", "http://::1:8080"),
        ("rtsp://[broken", "…"),
        ("clip.mp4", "clip.mp4"),
        ("usb:0", "usb:0"),
    ],
)
def test_an_address_shows_its_host_only(url: str, shown: str) -> None:
    assert shown_url(url) == shown
