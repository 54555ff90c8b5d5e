"""What a url names, and that its secrets stay its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.source import SourceError
from ingest.sources.urls import Address, parse

SECRET = "gEh31m"


@pytest.mark.parametrize(
    ("url", "kind", "target"),
    [
        ("rtsp://h/stream", "rtsp", "rtsp://h/stream"),
        ("rtsps://h:322/stream", "rtsp", "rtsps://h:322/stream"),
        ("http://h/video.mjpg", "http", "http://h/video.mjpg"),
        ("https://h:8443/video.mjpg", "http", "https://h:8443/video.mjpg"),
        ("clip.mp4", "file", "clip.mp4"),
        ("file:///videos/clip.mp4", "file", "/videos/clip.mp4"),
        ("usb:2", "usb", "2"),
        ("usb:/dev/v4l/by-id/usb-046d_C920", "usb", "/dev/v4l/by-id/usb-046d_C920"),
        ("/dev/null", "usb", "/dev/null"),
        ("gige:40012345", "gige", "40012345"),
        ("gige:192.168.50.7", "gige", "192.168.50.7"),
        ("usb3:Basler-acA1300-2301", "usb3", "Basler-acA1300-2301"),
    ],
)
def test_the_kind_follows_from_the_url(url: str, kind: str, target: str) -> None:
    address = parse(url)
    assert (address.kind, address.target) == (kind, target)


def test_a_folder_is_a_folder_of_images(tmp_path: object) -> None:
    assert parse(str(tmp_path)).kind == "images"


def test_of_a_cameras_url_only_scheme_host_and_port_are_shown() -> None:
    shown = parse(f"rtsp://admin:{SECRET}@10.0.0.7:554/user=admin_password={SECRET}?pw={SECRET}").shown
    assert shown == "rtsp://10.0.0.7:554"


def test_a_password_with_a_slash_in_it_is_not_shown_as_the_port_it_looks_like() -> None:
    assert parse("rtsp://admin:1234/5678@camera/x").shown == "rtsp://..."


def test_an_ipv6_host_keeps_its_brackets() -> None:
    assert parse("rtsp://[fe80::1]:554/x").shown == "rtsp://[fe80::1]:554"


@pytest.mark.parametrize(
    "url",
    [
        f"rtsp://admin:{SECRET}@host:99999/x",
        f"rtsp://admin:{SECRET}@host:port/x",
        f"ftp://admin:{SECRET}@host/x",
        f"http://admin:{SECRET}@/x",
        f"rtsp://admin:{SECRET}@/x",
        f"rtsp://admin:{SECRET}@[::1/x",
        f"usb:{SECRET}",
        f"://{SECRET}",
        "",
        "  ",
    ],
)
def test_a_bad_url_is_one_line_that_shows_nothing_of_it(url: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse(url)
    assert any(advice in str(caught.value) for advice in ("expected rtsp://", "usb:0", "percent-encode"))
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)


@given(before=printable, after=printable)
def test_no_password_is_ever_shown_however_the_url_is_mangled(before: str, after: str) -> None:
    try:
        address = parse(f"rtsp://{before}{SECRET}@{after}")
    except SourceError as error:
        assert SECRET not in str(error)
    else:
        assert SECRET not in repr(address)
        assert SECRET not in address.shown


def test_an_address_does_not_print_its_target() -> None:
    assert SECRET not in repr(Address("rtsp", f"rtsp://u:{SECRET}@h", "rtsp://h"))


@pytest.mark.parametrize("url", ["rtsp://10.0.0.7:554/user=a&password=p@ss", "rtsp://camera/x@y", "rtsp://u:p%41@h/x"])
def test_a_url_that_can_be_read_in_two_ways_is_opened_and_carries_advice_for_its_failure(url: str) -> None:
    assert "percent-encode" in parse(url).advice


@pytest.mark.parametrize("url", ["rtsp://u:p%2F%23@h/x", "rtsp://u:p%@h/x", "rtsp://10.0.0.7:554/x?y=z", "clip.mp4"])
def test_a_url_that_can_be_read_in_one_way_only_carries_no_advice(url: str) -> None:
    assert parse(url).advice == ""
