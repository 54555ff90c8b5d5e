"""What a USB camera is asked for: size, rate, pixel format and controls."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from andon.settings.section import Positive, Section

UsbControl = Literal[
    "auto_exposure",
    "auto_focus",
    "auto_white_balance",
    "backlight",
    "brightness",
    "contrast",
    "exposure",
    "focus",
    "gain",
    "gamma",
    "hue",
    "saturation",
    "sharpness",
    "white_balance",
    "zoom",
]


class UsbSettings(Section):
    """A camera gives what it can: `camera.noted` and `andon config check --online` say what it did not accept."""

    width: Annotated[int, Field(ge=16)] | None = None
    """Pixels, together with `height`. None: the size that the camera gives by default, often 640x480."""
    height: Annotated[int, Field(ge=16)] | None = None
    fps: Positive | None = None
    """Pictures a second that the camera is to deliver. None: its default. A camera's `fps` outside this section only
    leaves pictures out."""
    pixel_format: str | None = Field(default=None, pattern=r"^[A-Za-z0-9]{4}$")
    """Four letters, such as MJPG or YUYV. USB 2 carries 1080p at 30 fps as MJPG only. None: the driver's default."""
    controls: dict[UsbControl, float] = Field(default={})
    """By name, in the camera's own units: `v4l2-ctl --list-ctrls` shows each with its range. Switch an automatic off
    where its value is set: auto_exposure is 1 for manual and 3 for automatic, the others are 0 and 1."""

    @model_validator(mode="after")
    def _whole_size(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("width and height: set both or none")
        return self
