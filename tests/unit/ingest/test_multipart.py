"""A stream of parts is cut in one way, however its bytes arrive, and nonsense ends it in one way."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.multipart import MAX_HEADER_BYTES, Multipart, MultipartError
from tests.http_camera import Habits, stream

MOST_BYTES = 1_000
BODIES = st.lists(st.binary(max_size=50).map(lambda body: re.sub(rb"[\r\n]", b"x", body)), min_size=1, max_size=4)
HABITS = st.builds(
    Habits,
    length=st.sampled_from(["right", "none"]),
    line_end=st.sampled_from([b"\r\n", b"\n"]),
    delimiter=st.sampled_from(["--frame", "----=_x"]),
)


@given(bodies=BODIES, habits=HABITS, cuts=st.lists(st.integers(1, 60)))
def test_the_parts_are_the_same_however_the_bytes_arrive(bodies: list[bytes], habits: Habits, cuts: list[int]) -> None:
    rest, parts = stream(bodies, habits), []
    reader = Multipart("frame", MOST_BYTES)
    for cut in [*cuts, len(rest)]:
        parts += reader.feed(rest[:cut])
        rest = rest[cut:]
    assert [part.body for part in parts] == bodies
    assert reader.ended


@given(st.lists(st.binary(max_size=200) | st.sampled_from([b"--frame\r\n", b"\r\n\r\n", b"Content-Length: 9\r\n"])))
def test_nonsense_raises_nothing_else(chunks: list[bytes]) -> None:
    reader = Multipart("frame", MOST_BYTES)
    with suppress(MultipartError):
        for chunk in chunks:
            reader.feed(chunk)


@pytest.mark.parametrize(
    ("start", "complaint"),
    [
        (b"x" * MAX_HEADER_BYTES, "no boundary comes"),
        (b"--frame\r\n" + b"X: y\r\n" * MAX_HEADER_BYTES, "do not end"),
        (b"--frame\r\nContent-Length: 1001\r\n\r\n", "a picture of 1001 bytes is announced"),
        (b"--frame\r\n\r\n" + b"x" * (MOST_BYTES + 1), "does not end within 1000 bytes"),
        (b"--frame\r\nContent-Length: 1\r\n\r\nx" + b"y" * (MOST_BYTES + 20) + b"\n", "does not end within 1000"),
    ],
)
def test_its_memory_is_bounded(start: bytes, complaint: str) -> None:
    reader = Multipart("frame", MOST_BYTES)
    chunks = [start[at : at + 100] for at in range(0, len(start), 100)]
    with pytest.raises(MultipartError, match=complaint):
        [reader.feed(chunk) for chunk in chunks]


def test_a_picture_with_a_length_waits_for_nothing_behind_it() -> None:
    (part,) = Multipart("frame", MOST_BYTES).feed(
        b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 3\r\n\r\nabc"
    )
    assert (part.body, part.headers["content-type"]) == (b"abc", "image/jpeg")
