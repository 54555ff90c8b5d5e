"""Industrial cameras as lines of a shell."""

import shlex

import pytest

from ingest import industrial
from ingest.industrial import Industrial, line_of, searched_industrial
from ingest.sources.genicam_search import Found, IndustrialCamera, plain
from ingest.sources.source import SourceError


def camera(serial: str, vendor: str = "Basler", address: str = "192.168.50.7") -> IndustrialCamera:
    return IndustrialCamera("gige", serial, vendor, "acA1920-40gc", address, "Basler-acA1920-40gc-1")


def test_the_line_adds_the_camera_by_its_serial_number() -> None:
    expected = "andon camera add gige:40012345 --id basler-aca1920-40gc-40012345  # Basler acA1920-40gc, 192.168.50.7"
    assert line_of(camera("40012345")) == expected


def test_what_a_camera_says_of_itself_reaches_no_shell_and_no_terminal() -> None:
    hostile = camera(plain("1; rm -rf ~'$(id)"), vendor=plain("a\x1b[2J\nb\u202e"))
    assert shlex.split(line_of(hostile), comments=True)[3] == "gige:1; rm -rf ~'$(id)"
    assert line_of(hostile).isprintable()
    assert line_of(hostile).isascii()


def test_the_longest_text_of_a_camera_is_cut() -> None:
    assert len(plain("x" * 10_000)) == 64


def test_without_the_library_the_search_says_why_it_found_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Found:
        raise SourceError("industrial cameras need the library Aravis")

    monkeypatch.setattr(industrial, "cameras_in_reach", missing)
    found = searched_industrial()
    assert found == Industrial(
        (), ("no industrial camera was searched for: industrial cameras need the library Aravis",)
    )
