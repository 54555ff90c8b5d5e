"""Logins that cameras ask for over RTSP, and passwords with marks that mean something else in a url."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from andon.clock import SystemClock
from andon.settings import CameraSettings
from ingest.sources.choice import open_source
from ingest.sources.source import SourceError
from tests.cases.case import Case, rows
from tests.rtsp_camera import Faults, RtspCamera, film
from tests.rtsp_camera.login import PASSWORD

pytestmark = pytest.mark.integration


def settings(url: str, **values: object) -> CameraSettings:
    return CameraSettings.model_validate({"id": "c", "url": url, **values})


@dataclass(frozen=True)
class Login:
    """The error of a camera that is opened at the address that `address` makes of it; None: its pictures come."""

    faults: Faults
    says: str | None
    address: Callable[[RtspCamera], str] = field(default=lambda camera: camera.url)


def raw(password: str) -> Callable[[RtspCamera], str]:
    return lambda camera: camera.address(f"admin:{password}@")


ENCODE = "percent-encode user and password in the url: / is %2F, # is %23, ? is %3F, [ is %5B, ] is %5D, @ is %40"


@rows(
    [
        Case(
            "a camera that only knows digest with SHA-256 is said to want it, not to refuse the password",
            "go2rtc#2344",
            Login(Faults(login="digest-sha256"), "by digest with SHA-256, and only MD5 is supported"),
        ),
        Case(
            "a camera that names MD5 first and SHA-256 second is said to want SHA-256, which FFmpeg answers",
            "RFC 7616, 3.7",
            Login(Faults(login="digest-md5-sha256"), "by digest with SHA-256"),
        ),
        Case(
            "a camera that names SHA-256 first and MD5 second is opened",
            "RFC 7616, 3.7",
            Login(Faults(login="digest-sha256-md5"), None),
        ),
        Case(
            "a camera that wants its messages signed is said to want qop=auth-int",
            "RFC 7616, 3.4",
            Login(Faults(login="digest-auth-int"), "with qop=auth-int, and only qop=auth is supported"),
        ),
        Case(
            "a camera that wants a token is said to want one",
            "seen by hand",
            Login(Faults(login="bearer"), "a login by 'bearer', which is not supported"),
        ),
        Case(
            "a wrong password is said to be wrong",
            "seen by hand",
            Login(Faults(login="digest-md5"), "check user and password", raw("wrong")),
        ),
        Case(
            "a url without a login is said to need one",
            "seen by hand",
            Login(Faults(login="digest-md5"), "put user:password@ in front", lambda camera: camera.address("")),
        ),
        Case(
            "a password with every mark in it opens the camera by Basic once it is percent-encoded",
            "mediamtx#2069",
            Login(Faults(login="basic"), None),
        ),
        Case(
            "a password with every mark in it opens the camera by digest once it is percent-encoded",
            "mediamtx#2069",
            Login(Faults(login="digest-md5"), None),
        ),
        *(
            Case(
                f"a raw {mark} in a password is said to need percent-encoding",
                "mediamtx#2069",
                Login(Faults(login="digest-md5"), ENCODE, raw(f"se{mark}cret")),
            )
            for mark in "/#?[]"
        ),
        *(
            Case(
                f"a raw {mark} between digits of a password, which look like a port, is said to need percent-encoding",
                "mediamtx#2069",
                Login(Faults(login="digest-md5"), ENCODE, raw(f"12{mark}34")),
            )
            for mark in "/#?"
        ),
        Case(
            "a raw percent sign in a password that reads as an escape is said to need percent-encoding",
            "seen by hand",
            Login(Faults(login="digest-md5"), "percent-encode user and password", raw("50%41")),
        ),
        Case(
            "a camera that serves too many clients is not said to have a wrong path only",
            "seen by hand",
            Login(Faults(refusal="453 Not Enough Bandwidth"), "how many clients it has"),
        ),
        Case(
            "a camera whose codec nobody here can decode is said to have one",
            "seen by hand",
            Login(Faults(announced="H266"), "has a codec that FFmpeg can't decode: set it to H.264 or H.265"),
        ),
    ]
)
def test_login(given: Login) -> None:
    with RtspCamera(film(10), given.faults) as camera:
        url = given.address(camera)
        if given.says is None:
            source = open_source(settings(url), SystemClock())
            assert source.read() is not None
            source.close()
            return
        with pytest.raises(SourceError) as caught:
            open_source(settings(url, open_timeout_s=2.0), SystemClock())
    assert given.says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert PASSWORD not in str(caught.value)


@rows(
    [
        Case(f"a raw {mark} in a password is read as a part of it", "mediamtx#2069", mark)
        for mark in ("@", ":", "&", "=", "+", "!", ";", ",", "%", "$", "~")
    ]
)
def test_a_mark_that_is_no_trouble(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.rtsp_camera.login.PASSWORD", f"se{given}cret")
    with RtspCamera(film(10), Faults(login="digest-md5")) as camera:
        source = open_source(settings(raw(f"se{given}cret")(camera)), SystemClock())
        assert source.read() is not None
        source.close()
