"""Cases of sources: folders as people fill them, and cameras that are neither RTSP nor a file."""

import socket
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from andon.clock import SystemClock
from ingest.sources.choice import open_source
from ingest.sources.folder import SUFFIXES
from ingest.sources.source import FrameSource, SourceError
from tests.cases.case import Case, rows
from tests.http_camera import Habits, http_camera, pictures
from tests.rtsp_camera.login import ENCODED, PASSWORD
from tests.unit.ingest.fakes import camera_settings
from tests.unit.ingest.jpegs import grey_jpeg
from tests.videos import SIZE, grey, number_of


def opened(folder: Path) -> FrameSource:
    return open_source(camera_settings(url=str(folder)), SystemClock())


def numbers(source: FrameSource) -> list[int]:
    """The number in each picture that the source delivers; -1 for a corrupt one."""
    pictures = iter(source.read, None)
    return [-1 if picture.bgr is None else number_of(picture.bgr()) for picture in pictures]


def save(folder: Path, names: list[str]) -> None:
    """A grey picture under each name; its level says the place of the name in the list."""
    for number, name in enumerate(names):
        (folder / name).write_bytes(grey_jpeg(number))


def counted(folder: Path) -> None:
    save(folder, [f"{number}.jpg" for number in range(1, 13)])


def padded(folder: Path) -> None:
    save(folder, [f"{number:03}.jpg" for number in range(12)])


def several_numbers(folder: Path) -> None:
    save(folder, ["shift 2 part 9.jpg", "shift 2 part 10.jpg", "shift 10 part 1.jpg"])


def mixed_names(folder: Path) -> None:
    save(folder, ["1.jpg", "2a.jpg", "10.jpg", "Bild.jpg", "a.jpg", "a1.jpg", "①.jpg"])


def hidden(folder: Path) -> None:
    save(folder, ["x.jpg"])
    (folder / "._x.jpg").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X" + bytes(100))
    (folder / ".DS_Store").write_bytes(b"x")


def unread(folder: Path) -> None:
    save(folder, ["x.jpg"])
    (folder / "Thumbs.db").write_bytes(b"x")
    (folder / "y.heic").write_bytes(b"x")
    (folder / "more").mkdir()


def paged(folder: Path) -> None:
    page = Image.new("L", (64, 48), grey(0))
    page.save(folder / "stack.tif", save_all=True, append_images=[page, page])
    page.save(folder / "too.tiff")


READ_IN_ORDER: tuple[Case[tuple[Callable[[Path], None], str | None]], ...] = (
    Case("pictures are read in the order of the numbers in their names", "roboflow/trackers#558", (counted, "2.jpg")),
    Case("a folder whose plain order is right needs no word", "seen by hand", (padded, None)),
    Case("each number in a name counts as a number", "seen by hand", (several_numbers, "part 9.jpg before")),
    Case("names of every kind have one order", "seen by hand", (mixed_names, "2a.jpg before 10.jpg")),
    Case("hidden files are no pictures", "seen by hand", (hidden, None)),
    Case("files and folders that are left out are named", "seen by hand", (unread, "2 files are left out")),
    Case("pages of a TIFF that are not read are named", "seen by hand", (paged, "stack.tif has 3 pages, and 1 of 2")),
)


@rows(READ_IN_ORDER)
def test_a_folder(given: tuple[Callable[[Path], None], str | None], tmp_path: Path) -> None:
    fill, text = given
    fill(tmp_path)
    source = opened(tmp_path)
    notes = source.info.notes
    assert bool(notes) == (text is not None), notes
    assert text is None or any(text in note for note in notes)
    read = numbers(source)
    assert read == ([0, 0] if fill is paged else list(range(len(read))))
    assert read


def test_each_ending_that_is_taken_can_be_read(tmp_path: Path) -> None:
    pixels = np.full((48, 64, 3), grey(3), np.uint8)
    writable = {".jfif": ".jpg", ".jpe": ".jpg", ".pnm": ".ppm"}
    for number, suffix in enumerate(sorted(SUFFIXES)):
        image = pixels if suffix not in (".pbm", ".pgm") else pixels[..., 0]
        _, encoded = cv2.imencode(writable.get(suffix, suffix), image)
        (tmp_path / f"{number:02}{suffix}").write_bytes(encoded.tobytes())
    read = numbers(opened(tmp_path))
    assert len(read) == len(SUFFIXES)
    assert -1 not in read


def test_a_folder_with_other_files_alone_says_what_lies_there(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"no images in this folder .*: 1 \.heic"):
        opened(tmp_path)


HTTP_HABITS = (
    Case("pictures with a length and a boundary are read", "mediamtx#1714", Habits()),
    Case("pictures without a length are read", "seen by hand", Habits(length="none")),
    Case("a length that is too small cuts no picture", "seen by hand", Habits(length="short")),
    Case("a length that is too large joins no pictures", "seen by hand", Habits(length="long")),
    Case(
        "a boundary declared with its dashes is the same boundary",
        "seen by hand",
        Habits(content_type="multipart/x-mixed-replace;boundary=--frame"),
    ),
    Case(
        "a boundary that is quoted is the same boundary",
        "seen by hand",
        Habits(content_type='multipart/x-mixed-replace; boundary="frame"'),
    ),
    Case("a boundary sent without dashes is a boundary", "seen by hand", Habits(delimiter="frame")),
    Case("a boundary that was not declared is a boundary", "seen by hand", Habits(content_type="multipart/mixed")),
    Case("another boundary than the declared one is a boundary", "seen by hand", Habits(delimiter="--other")),
    Case("lines that end in a bare newline are lines", "seen by hand", Habits(line_end=b"\n")),
    Case("empty lines before the first boundary are passed over", "seen by hand", Habits(preamble=b"\r\n\r\n")),
    Case("parts that declare no type are pictures", "seen by hand", Habits(part_type=None)),
    Case("sound between the pictures is passed over", "seen by hand", Habits(between=b"\x01\x02\x03")),
    Case("bytes that come one by one are pictures", "seen by hand", Habits(chunk_bytes=1)),
    Case("a login in plain text is made where the camera asks for it", "seen by hand", Habits(login="basic")),
    Case("a login by digest is made", "seen by hand", Habits(login="digest-md5")),
    Case("a login by digest with SHA-256 is made", "go2rtc#2344", Habits(login="digest-sha256")),
    Case("of several kinds of digest one is answered", "seen by hand", Habits(login="digest-sha256-md5")),
)


def http_source(url: str, **values: object) -> FrameSource:
    return open_source(camera_settings(url=url, **{"open_timeout_s": 2, "read_timeout_s": 2, **values}), SystemClock())


@rows(HTTP_HABITS)
def test_an_http_camera_delivers_every_picture_as_it_is(given: Habits) -> None:
    bodies = pictures(5)
    with http_camera(bodies, given) as camera:
        source = http_source(camera.url("" if given.login == "none" else ENCODED))
        delivered = list(iter(source.read, None))
        source.close()
    assert [picture.jpeg.payload for picture in delivered if picture.jpeg is not None] == bodies
    assert (source.info.codec, source.info.width, source.info.height, source.info.clock) == ("mjpeg", *SIZE, "host")


def test_an_http_camera_that_is_not_asked_for_a_login_is_not_told_the_password() -> None:
    with http_camera(pictures(1)) as camera:
        http_source(camera.url(ENCODED)).close()
    assert camera.logins == [""]


HTTP_REFUSALS: tuple[Case[tuple[Habits, str, str]], ...] = (
    Case("a web page is called one", "seen by hand", (Habits(content_type="text/html"), "", "there is a web page")),
    Case(
        "a snapshot's url is called one",
        "seen by hand",
        (Habits(content_type="image/jpeg"), "", "a single picture at this url, and no MJPEG stream"),
    ),
    Case(
        "another kind of video is named", "seen by hand", (Habits(content_type="video/mp4"), "", "there is video/mp4")
    ),
    Case(
        "a missing login is asked for", "seen by hand", (Habits(login="digest-md5"), "", "put user:password@ in front")
    ),
    Case(
        "a wrong password is called wrong",
        "seen by hand",
        (Habits(login="digest-md5"), "admin:other", "refused the login (401): check user and password"),
    ),
    Case(
        "a login that nobody can make is named",
        "seen by hand",
        (Habits(login="bearer"), ENCODED, "asks for a login by 'bearer', which is not supported"),
    ),
    Case("a wrong path is named", "seen by hand", (Habits(status=404), "", "no such stream (404)")),
    Case("a camera with too many clients says so", "seen by hand", (Habits(status=503), "", "too many clients")),
)


@rows(HTTP_REFUSALS)
def test_an_http_camera_that_cannot_be_read_is_one_line(given: tuple[Habits, str, str]) -> None:
    habits, login, complaint = given
    with http_camera(pictures(1), habits) as camera, pytest.raises(SourceError) as caught:
        http_source(camera.url(login))
    assert str(caught.value).startswith(f"http://127.0.0.1:{camera.port}: ")
    assert complaint in str(caught.value)
    assert PASSWORD not in str(caught.value)


HTTP_ENDS: tuple[Case[tuple[Habits, str]], ...] = (
    Case(
        "a camera without a whole picture is given up",
        "seen by hand",
        (Habits(last="drip"), "no picture for 0.2 s"),
    ),
    Case(
        "a camera that falls silent is given up in time", "seen by hand", (Habits(last="stall"), "no picture for 0.2 s")
    ),
    Case(
        "a camera that closes the connection is lost", "seen by hand", (Habits(last="close"), "closed the connection")
    ),
    Case(
        "a stream without a boundary is no stream of pictures",
        "seen by hand",
        (Habits(preamble=b"hello\r\n"), "no boundary stands at its beginning"),
    ),
)


@rows(HTTP_ENDS)
def test_an_http_camera_that_is_lost_is_one_line(given: tuple[Habits, str]) -> None:
    habits, complaint = given
    with http_camera(pictures(2), habits) as camera:
        source = http_source(camera.url(), read_timeout_s=0.2)
        with pytest.raises(SourceError) as caught:
            list(iter(source.read, None))
        source.close()
    assert complaint in str(caught.value)


def test_a_part_that_holds_no_picture_is_a_corrupt_one_in_its_place() -> None:
    with http_camera([grey_jpeg(0), b"no picture", grey_jpeg(1)]) as camera:
        source = http_source(camera.url())
        assert [picture.corrupt for picture in iter(source.read, None)] == [False, True, False]
        source.close()


def test_an_http_camera_that_is_off_is_one_line() -> None:
    with http_camera([]) as camera:
        url = camera.url()
    with pytest.raises(SourceError, match="connection refused: is the camera on"):
        http_source(url)


@pytest.mark.parametrize(
    "url", ["http://a..b/x", "http://[::1%eth0]x/", "http://h\x7fost/x", "http://" + "a" * 300 + "/x"]
)
def test_an_http_url_that_cannot_be_read_is_one_line(url: str) -> None:
    with pytest.raises(SourceError):
        http_source(url)


def test_an_http_camera_that_accepts_and_does_not_answer_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(SourceError, match=r"no answer within 0\.2 s"):
        http_source(f"http://127.0.0.1:{silent.getsockname()[1]}/x", read_timeout_s=0.2)
