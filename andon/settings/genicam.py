"""What an industrial camera (GigE Vision, USB3 Vision) is asked for."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from andon.settings.device import DeviceSettings
from andon.settings.section import Positive

KEEP = "keep"


class GenicamSettings(DeviceSettings):
    """Names in CamelCase are those of the GenICam standard (SFNC). `arv-tool-0.8 features` (Debian:
    aravis-tools-cli) lists a camera's own."""

    x: int = Field(default=0, ge=0)
    """The left side of the part of the sensor that is sent, in pixels, with `width` and `height`. Even for Bayer."""
    y: int = Field(default=0, ge=0)
    reverse_x: bool | None = None
    """Mirror the picture from left to right in the camera. None: as the camera has it."""
    reverse_y: bool | None = None
    pixel_format: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_]{2,40}$")
    """Mono8, Mono10, Mono12, Mono14, Mono16, BayerRG8 (BG, GB, GR; 10, 12, 16), the packed forms of 10 and 12 bits,
    RGB8, BGR8, YUV422_8 and others: docs/cameras.md. None: as the camera has it."""
    bits: int | None = Field(default=None, ge=8, le=16)
    """Significant bits of a sample of more than 8; its 8 highest are kept, and larger values are white. None: as the
    pixel format's name says, and for 16 as the camera's PixelDynamicRangeMax says, else 16."""
    exposure_us: Positive | Literal["auto"] | None = None
    """Microseconds; a number switches the automatic off. None: as the camera has it."""
    gain: float | Literal["auto"] | None = None
    """In the camera's own units, usually dB; a number switches the automatic off. None: as the camera has it."""
    trigger: str | None = Field(default=None, min_length=1, max_length=40)
    """The input that triggers each picture, such as Line1. None: free-running, which switches a trigger off that the
    camera has kept from before. `keep`: as the camera has it."""
    trigger_edge: Literal["rising", "falling", "any"] = "rising"
    features: dict[str, bool | int | float | str] = Field(default={})
    """Anything else, in this order and before all settings above: {UserSetSelector: UserSet1, UserSetLoad: true}. A
    command is executed; quote words that YAML would read as true or false: BalanceWhiteAuto: "Off"."""
    buffers: int = Field(default=16, ge=3, le=1000)
    """Pictures that may wait in memory for this host to take them; beyond, they are lost, and counted. 16: half a
    second at 30 fps, 80 MB at 5 megapixels of 8 bits."""
    packet_size: Annotated[int, Field(ge=576, le=16_114)] | Literal["auto"] = "auto"
    """Bytes of a network packet, GigE only. auto: the largest that gets through when the camera is opened; for jumbo
    frames set the MTU of the host and of the switches to 9000."""
    packet_delay_us: float | None = Field(default=None, ge=0)
    """Pause between two packets, GigE only: needed where cameras share a link that is slower than they are together.
    None: as the camera has it."""
    packet_resend: bool = True
    """Ask the camera for packets that did not arrive, GigE only."""
    heartbeat_s: float = Field(default=3.0, ge=1.5, le=60.0)
    """GigE only: a camera whose host died is free for another one after this time. The host gives a sign each
    second."""

    @model_validator(mode="after")
    def _somebody_triggers(self) -> Self:
        if self.trigger == "Software":
            raise ValueError("trigger Software: nothing on the line would trigger it; name an input, such as Line1")
        return self

    @property
    def triggered(self) -> bool:
        """Whether its pictures come when something triggers them, which may be never."""
        return self.trigger not in (None, KEEP)
