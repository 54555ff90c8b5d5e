"""ONVIF cameras for tests, on loopback: answers to a search by multicast, and SOAP services over HTTP.

Source: WS-Discovery (April 2005); ONVIF Core and Media Service Specifications; WS-Security UsernameToken Profile 1.1.
"""

import base64
import hashlib
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

GROUP = "239.255.255.250"
ENVELOPE = (
    '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
    ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:tt="http://www.onvif.org/ver10/schema"'
    ' xmlns:dn="http://www.onvif.org/ver10/network/wsdl" xmlns:tds="http://www.onvif.org/ver10/device/wsdl"'
    ' xmlns:trt="http://www.onvif.org/ver10/media/wsdl" xmlns:ter="http://www.onvif.org/ver10/error">'
)
FRESH = timedelta(seconds=30)
"""How old a login may be, by the camera's clock."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """A media profile."""

    name: str = "main"
    codec: str = "H264"
    width: int = 1920
    height: int = 1080
    fps: int = 25
    gov_length: int = 25
    url: str = "rtsp://127.0.0.1:554/stream1"


@dataclass(frozen=True, slots=True)
class Habits:
    encoders: tuple[Encoder, ...] = (Encoder(),)
    user: str = ""
    """Empty: it wants no login."""
    password: str = field(default="", repr=False)
    clock_ahead: timedelta = timedelta()
    """How far its clock is ahead of ours."""
    answers: Literal["soap", "garbage", "silence", "flood"] = "soap"
    media_host: str = "127.0.0.1"
    """Where it says that its media service is."""


@dataclass(slots=True)
class OnvifCamera:
    port: int
    requests: list[str] = field(default_factory=list)
    """The names of the operations, in order."""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"


@contextmanager
def onvif_camera(habits: Habits = Habits()) -> Iterator[OnvifCamera]:
    """The services of one camera, until the block ends."""
    stopped, camera = threading.Event(), OnvifCamera(0)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(habits, camera, stopped))
    camera.port = server.server_address[1]
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    try:
        yield camera
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()
        serving.join()


def _handler(habits: Habits, camera: OnvifCamera, stopped: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = self.rfile.read(int(self.headers["Content-Length"])).decode()
            operation = re.search(r"Body>\s*<(?:\w+:)?(\w+)", request)
            assert operation is not None
            camera.requests.append(operation[1])
            if habits.answers == "silence":
                stopped.wait()
                return
            if habits.answers == "flood":
                self._flood()
                return
            status, body = _answer(operation[1], request, habits, camera)
            self.send_response(status)
            self.send_header("Content-Type", "application/soap+xml; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(body)

        def _flood(self) -> None:
            self.send_response(200)
            self.end_headers()
            with suppress(ConnectionError):
                while not stopped.is_set():
                    self.wfile.write(b" " * 65_536)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _answer(operation: str, request: str, habits: Habits, camera: OnvifCamera) -> tuple[int, bytes]:
    if habits.answers == "garbage":
        return 200, b"<html><body>It works!"
    if operation != "GetSystemDateAndTime" and not _admits(habits, request):
        return 400, _soap(
            "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:NotAuthorized</s:Value></s:Subcode>"
            '</s:Code><s:Reason><s:Text xml:lang="en">Sender not authorized</s:Text></s:Reason></s:Fault>'
        )
    match operation:
        case "GetSystemDateAndTime":
            body = _clock(datetime.now(UTC) + habits.clock_ahead)
        case "GetServices":
            where = f"http://{habits.media_host}:{camera.port}/onvif/media"
            body = _service("device", f"http://{camera.host}/onvif/device_service") + _service("media", where)
        case "GetDeviceInformation":
            names = ("Manufacturer", "Model", "FirmwareVersion", "SerialNumber", "HardwareId")
            values = ("ACME", "X1", "1.0", "42", "1")
            body = "".join(f"<tds:{name}>{value}</tds:{name}>" for name, value in zip(names, values, strict=True))
        case "GetProfiles":
            body = "".join(_profile(number, encoder) for number, encoder in enumerate(habits.encoders))
            return 200, _soap(f"<trt:GetProfilesResponse>{body}</trt:GetProfilesResponse>")
        case "GetStreamUri":
            token = re.search(r"ProfileToken>profile-(\d+)<", request)
            assert token is not None
            uri = habits.encoders[int(token[1])].url.replace("&", "&amp;")
            limits = "<tt:InvalidAfterConnect>false</tt:InvalidAfterConnect><tt:InvalidAfterReboot>false"
            limits += "</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout>"
            body = f"<trt:MediaUri><tt:Uri>{uri}</tt:Uri>{limits}</trt:MediaUri>"
            return 200, _soap(f"<trt:GetStreamUriResponse>{body}</trt:GetStreamUriResponse>")
        case _:
            raise AssertionError(operation)
    return 200, _soap(f"<tds:{operation}Response>{body}</tds:{operation}Response>")


def _soap(body: str) -> bytes:
    return f"{ENVELOPE}<s:Body>{body}</s:Body></s:Envelope>".encode()


def _admits(habits: Habits, request: str) -> bool:
    """WS-UsernameToken: base64(sha1(nonce + created + password)), and made just now by the camera's clock."""
    if not habits.user:
        return True
    fields = {name: _text(request, name) for name in ("Username", "Password", "Nonce", "Created")}
    if not all(fields.values()) or fields["Username"] != habits.user:
        return False
    secret = base64.b64decode(fields["Nonce"]) + (fields["Created"] + habits.password).encode()
    created = datetime.fromisoformat(fields["Created"])
    age = datetime.now(UTC) + habits.clock_ahead - created
    return base64.b64encode(hashlib.sha1(secret).digest()).decode() == fields["Password"] and abs(age) < FRESH


def _text(request: str, name: str) -> str:
    found = re.search(rf"<(?:\w+:)?{name}\b[^>]*>([^<]*)</", request)
    return found[1].strip() if found else ""


def _clock(at: datetime) -> str:
    time = f"<tt:Hour>{at.hour}</tt:Hour><tt:Minute>{at.minute}</tt:Minute><tt:Second>{at.second}</tt:Second>"
    date = f"<tt:Year>{at.year}</tt:Year><tt:Month>{at.month}</tt:Month><tt:Day>{at.day}</tt:Day>"
    return (
        "<tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType><tt:DaylightSavings>false</tt:DaylightSavings>"
        f"<tt:UTCDateTime><tt:Time>{time}</tt:Time><tt:Date>{date}</tt:Date></tt:UTCDateTime></tds:SystemDateAndTime>"
    )


def _service(kind: str, where: str) -> str:
    return (
        f"<tds:Service><tds:Namespace>http://www.onvif.org/ver10/{kind}/wsdl</tds:Namespace><tds:XAddr>{where}"
        "</tds:XAddr><tds:Version><tt:Major>2</tt:Major><tt:Minor>5</tt:Minor></tds:Version></tds:Service>"
    )


def _profile(number: int, encoder: Encoder) -> str:
    video = (
        f'<tt:VideoEncoderConfiguration token="encoder-{number}"><tt:Name>{encoder.name}</tt:Name><tt:UseCount>1'
        f"</tt:UseCount><tt:Encoding>{encoder.codec}</tt:Encoding><tt:Resolution><tt:Width>{encoder.width}</tt:Width>"
        f"<tt:Height>{encoder.height}</tt:Height></tt:Resolution><tt:Quality>4</tt:Quality><tt:RateControl>"
        f"<tt:FrameRateLimit>{encoder.fps}</tt:FrameRateLimit><tt:EncodingInterval>1</tt:EncodingInterval>"
        f"<tt:BitrateLimit>4096</tt:BitrateLimit></tt:RateControl><tt:H264><tt:GovLength>{encoder.gov_length}"
        "</tt:GovLength><tt:H264Profile>High</tt:H264Profile></tt:H264></tt:VideoEncoderConfiguration>"
    )
    return (
        f'<trt:Profiles token="profile-{number}" fixed="true"><tt:Name>{encoder.name}</tt:Name>{video}</trt:Profiles>'
    )


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer to a search. `raw`: sent as it is."""

    urls: str = ""
    name: str = "ACME%20X1"
    raw: bytes | None = None
    relates_to: str | None = None
    """The number of the question that it answers. None: the right one."""


@contextmanager
def responder(replies: Sequence[Reply], *, answers_to: str = "NetworkVideoTransmitter") -> Iterator[int]:
    """Sends `replies` to whoever searches by multicast for this type on loopback. Yields the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind((GROUP, 0))
        member = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton("127.0.0.1"))
        link.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        port: int = link.getsockname()[1]
        replying = threading.Thread(target=_reply, args=(link, replies, answers_to))
        replying.start()
        try:
            yield port
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
                last.sendto(b"end", (GROUP, port))
            replying.join()


def _reply(link: socket.socket, replies: Sequence[Reply], answers_to: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.bind(("127.0.0.1", 0))
        while True:
            question, asker = link.recvfrom(65_535)
            if question == b"end":
                return
            text = question.decode()
            if answers_to not in text:
                continue
            for number, reply in enumerate(replies):
                if number % 10 == 9:
                    time.sleep(0.01)  # as real ones do, they don't answer all at once
                out.sendto(reply.raw or _match(number, reply, _text(text, "MessageID")), asker)


def _match(number: int, reply: Reply, question: str) -> bytes:
    action = "http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches"
    head = (
        f"<a:Action>{action}</a:Action><a:MessageID>urn:uuid:answer-{number}</a:MessageID>"
        f"<a:RelatesTo>{reply.relates_to or question}</a:RelatesTo>"
        '<d:AppSequence InstanceId="not a number" MessageNumber="1"/>'
    )
    match = (
        f"<d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:camera-{number}</a:Address></a:EndpointReference>"
        "<d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>onvif://www.onvif.org/type/video_encoder"
        f" onvif://www.onvif.org/name/{reply.name} onvif://www.onvif.org/hardware/X1</d:Scopes>"
        f"<d:XAddrs>{reply.urls}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch>"
    )
    body = f"<s:Header>{head}</s:Header><s:Body><d:ProbeMatches>{match}</d:ProbeMatches></s:Body></s:Envelope>"
    return (ENVELOPE + body).encode()
