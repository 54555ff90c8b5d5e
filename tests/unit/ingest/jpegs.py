"""Motion JPEG files whose every packet the test has chosen, and JPEGs for them."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from andon.pictures.picture import Bgr
from tests.videos import SIZE, grey


def grey_jpeg(number: int, size: tuple[int, int] = SIZE) -> bytes:
    return jpeg(np.full((size[1], size[0], 3), grey(number), np.uint8))


def jpeg(bgr: Bgr, *options: int) -> bytes:
    encoded, payload = cv2.imencode(".jpg", bgr, options)
    assert encoded
    return payload.tobytes()


def make_mjpeg(path: Path, payloads: Sequence[bytes], fps: int = 25) -> Path:
    """An AVI or MKV, by the path's suffix, of these very packets; 160x120 says its header."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuvj420p"
        for number, payload in enumerate(payloads):
            packet = av.Packet(payload)
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, fps), True
            packet.pts = packet.dts = number
            container.mux(packet)
    return path


def without_tables(payload: bytes) -> bytes:
    """Its Huffman tables cut out, as in AVI files of old capture cards: those of the standard's annex K are meant."""
    while (at := payload.find(b"\xff\xc4")) >= 0:
        payload = payload[:at] + payload[at + 2 + int.from_bytes(payload[at + 2 : at + 4]) :]
    return payload


def with_orientation(payload: bytes, orientation: int, order: str = "II") -> bytes:
    """With Exif that asks to turn it; 1: not."""
    little = order == "II"

    def number(value: int, count: int) -> bytes:
        return value.to_bytes(count, "little" if little else "big")

    entry = number(0x112, 2) + number(3, 2) + number(1, 4) + number(orientation, 2) + bytes(2)
    tiff = order.encode() + number(42, 2) + number(8, 4) + number(1, 2) + entry + number(0, 4)
    body = b"Exif\0\0" + tiff
    return payload[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2) + body + payload[2:]
