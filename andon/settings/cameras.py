"""The cameras: where each one is, how its pictures are taken, and when they are no basis for a verdict."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from andon.messages import CameraId
from andon.settings.genicam import GenicamSettings
from andon.settings.judgement import CameraPartSettings
from andon.settings.section import PoolName, Positive, Section, SiteName
from andon.settings.usb import UsbSettings

Deinterlace = Literal["auto", "on", "off"]
Encoding = Literal["auto", "passthrough", "jpeg"]


class HealthSettings(Section):
    """When a camera's pictures are no basis for a verdict. Levels run from 0 to 255."""

    enabled: bool = True
    dark_level: float = Field(default=20.0, ge=0, le=255)
    """A picture is dark when 95 % of it lies below this level. 20: black, and the noise of a covered lens."""
    overexposed_level: float = Field(default=245.0, ge=0, le=255)
    """A picture is over-exposed when 75 % of it lies above this level. 255 switches the check off, for a scene lit from
    behind."""
    hold_s: Positive = 1.0
    """Seconds for which pictures must be dark, over-exposed or blurred before the camera is, and healthy before it is
    healthy again."""
    frozen_s: Positive = 2.0
    """Seconds of the same picture after which the camera is frozen. Raise it where nothing moves for longer: an
    encoder, too, repeats a still scene without noise pixel for pixel."""
    frozen_change: float = Field(default=0.02, ge=0, le=255)
    """Two pictures are the same when their mean difference is at most this many levels. A coder keeps refining a still
    picture (0.01 measured); a sensor's noise is at least 0.15, even behind a coarse coder."""
    blurred_ratio: float = Field(default=0.25, ge=0, lt=1)
    """A picture is blurred when its sharpness is below this fraction of the camera's usual minimum. 0: never."""
    learn_s: Positive = 60.0
    """Seconds of healthy pictures that teach the usual sharpness, after a start and after a change of size."""


class CameraSettings(Section):
    id: CameraId
    url: SecretStr
    """rtsp:// or rtsps://user:password@host/path, http:// or https:// (MJPEG), a video file, a folder of images,
    usb:/dev/v4l/by-id/NAME (the same camera after a restart), usb:0, or an industrial camera, gige:SERIAL or
    usb3:SERIAL."""
    enabled: bool = True
    site: SiteName | None = None
    """Where the camera can be reached: only ingesters of this site (`ingest.site`) capture it. A USB device, a file or
    a network of its own needs one, once ingesters run on several hosts. None: any ingester without a site."""
    pool: PoolName = "default"
    """The pool of workers, and thereby the model, that inspects this camera's frames."""
    transport: Literal["tcp", "udp"] = "tcp"
    """How RTSP carries the video. udp loses packets where the network is busy."""
    tls: Literal["verify", "insecure"] = "verify"
    """For rtsps:// and https://. verify: the camera must show a certificate that `ca_file` or the system trusts.
    insecure: any certificate will do, so anyone in between can read the password and put in pictures."""
    ca_file: str | None = None
    """A PEM file with the certificate of the camera or of its issuer. None: as the line's `camera_ca_file` says."""
    deinterlace: Deinterlace = "auto"
    """Streams and video files. auto: pictures that the stream calls interlaced are deinterlaced. on: all, for a stream
    that does not say so. off: none, for a model that was trained on pictures with combs."""
    encoding: Encoding = "auto"
    """How pictures travel. auto: the H.264 or H.265 of streams and files as the camera sends it, which the workers
    decode; everything else, and what is interlaced, as JPEG. passthrough: the same, and a camera that can't be passed
    on is an error. jpeg: always as JPEG. A camera's own JPEGs go on as they are in every case."""
    policy: Literal["lossless", "freshest"] = "lossless"
    """lossless: every frame is inspected, however late. freshest: frames older than max_age_s are shed and counted."""
    max_age_s: Positive = 2.0
    """Seconds after which a frame is stale. For `freshest` only."""
    mailbox_frames: int = Field(default=256, ge=1)
    """Encoded frames that may wait for the broker; a killed ingester loses at most these. 256: 8 s at 30 fps."""
    mailbox_bytes: int = Field(default=64_000_000, ge=1_000_000)
    """The same bound in bytes."""
    fps: Positive | None = None
    """Frames a second that are taken at most. None: every frame that the camera delivers."""
    roi: tuple[int, int, int, int] | None = None
    """Crop to x, y, width, height in the camera's own pixels, in the upright picture, before resizing."""
    longest_side: int | None = Field(default=None, ge=32)
    """Shrink a picture, never enlarge it, until its longer side has at most this many pixels."""
    jpeg_quality: int = Field(default=90, ge=10, le=100)
    loop: bool = False
    """Files and image folders: start again at the end."""
    pace: Literal["realtime", "fast"] = "realtime"
    """Files and image folders: at their own frame rate, or as fast as the line takes them."""
    image_fps: Positive = 10.0
    """Frames a second that a folder of images delivers."""
    open_timeout_s: Positive = 5.0
    """Seconds until an attempt to connect counts as failed."""
    read_timeout_s: Positive = 5.0
    """Seconds without a frame after which the connection counts as dead and is opened anew. A camera that turns out to
    be slower gets up to four times as long from then on."""
    keyframe_timeout_s: Positive = 60.0
    """Seconds that a stream may take to its first keyframe after it was joined; then it is opened anew.
    60: cameras that save bandwidth send a keyframe every 10 to 30 s."""
    silence_s: Positive | None = None
    """Seconds without a frame after which this camera is silent. None: `sinks.silence_s`, or three of the camera's
    usual intervals if that is longer."""
    hang_grace_s: Positive = 10.0
    """Seconds on top of open_timeout_s or read_timeout_s after which a call that has not returned hangs (a name
    look-up, a network disk, a driver). The camera is then `offline`, and tried again on another thread. 10: a driver's
    own time limits may be that much longer."""
    reconnect_max_s: Positive = 3.0
    """The longest delay in seconds between two attempts to connect. The back-off is exponential and never gives up."""
    usb: UsbSettings | None = None
    """What a usb: camera is asked for. None: it delivers what it does by default."""
    genicam: GenicamSettings | None = None
    """What a gige: or usb3: camera is asked for. None: it runs freely, with all else as it has it."""
    health: HealthSettings | None = None
    """This camera's own thresholds, all of them. None: the line's."""
    parts: CameraPartSettings | None = None
    """Where this camera's parts are judged. None: as the line's `parts` says."""

    @property
    def triggered(self) -> bool:
        """Whether its pictures come when something triggers them, which may be never."""
        return self.genicam is not None and self.genicam.triggered

    @model_validator(mode="after")
    def _roi_is_a_rectangle(self) -> Self:
        if self.roi is not None and (min(self.roi[:2]) < 0 or min(self.roi[2:]) < 1):
            raise ValueError(f"roi {list(self.roi)}: x and y must be 0 or more, width and height 1 or more")
        return self
