"""Explains FFmpeg's errors to the person who set up the camera. FFmpeg's own text is not used: it holds the url."""

import errno

import av
from av import error as ffmpeg

from ingest.sources.urls import Address

_OPENING: tuple[tuple[type[av.FFmpegError], str], ...] = (
    (ffmpeg.HTTPUnauthorizedError, "the camera refused the login (401)"),
    (ffmpeg.HTTPForbiddenError, "the camera forbids this (403): check the user's rights and the url's path"),
    (ffmpeg.HTTPNotFoundError, "the camera knows no such stream (404): check the url's path"),
    (ffmpeg.HTTPServerError, "the camera answered with an error of its own (5xx): perhaps it serves too many clients"),
    (ffmpeg.HTTPClientError, "the camera refused the request (4xx): check the url's path, and how many clients it has"),
    (ffmpeg.ConnectionRefusedError, "connection refused: is the camera on, and the port right?"),
    (ffmpeg.FileNotFoundError, "no such file"),
    (ffmpeg.PermissionError, "no permission to read it"),
    (ffmpeg.IsADirectoryError, "it is a folder"),
    (ffmpeg.TimeoutError, "no answer in time"),
    (ffmpeg.ExitError, "no answer in time"),
)
_READING: tuple[tuple[type[av.FFmpegError], str], ...] = (
    (ffmpeg.ExitError, "no picture in time"),
    (ffmpeg.TimeoutError, "no picture in time"),
    (ffmpeg.ConnectionResetError, "the camera closed the connection"),
    (ffmpeg.BrokenPipeError, "the camera closed the connection"),
)


def explain(error: av.FFmpegError, address: Address, *, reading: bool) -> str:
    """One line: what could not be opened or read, and why. It shows of the url only `address.shown`."""
    table = _READING if reading else _OPENING
    reason = next((text for kind, text in table if isinstance(error, kind)), None)
    line = f"{address.shown}: {reason or _otherwise(error, address, reading)}"
    return line if reading else advised(line, address)


def advised(line: str, address: Address) -> str:
    """The line, with what to try if the url may have been misread."""
    return f"{line}; or {address.advice}" if address.advice else line


def _otherwise(error: av.FFmpegError, address: Address, reading: bool) -> str:
    if reading:
        return f"the stream broke off ({type(error).__name__})"
    if isinstance(error, av.InvalidDataError):
        return "what answers there is no RTSP camera" if address.kind == "rtsp" else "this is not a video"
    if error.errno == errno.EPROTONOSUPPORT:
        return "the camera does not offer this transport: set the other one of tcp and udp"
    if address.kind == "rtsp" and isinstance(error, OSError):
        return "the host can't be reached: check its name and the network"
    return f"it can't be opened ({type(error).__name__})"
