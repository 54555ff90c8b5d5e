"""What a USB camera is asked for: size, rate, pixel format and controls."""

from typing import Literal

from pydantic import Field

from andon.settings.device import DeviceSettings

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


class UsbSettings(DeviceSettings):
    pixel_format: str | None = Field(default=None, pattern=r"^[A-Za-z0-9]{4}$")
    """Four letters, such as MJPG or YUYV. USB 2 carries 1080p at 30 fps as MJPG only. None: the driver's default."""
    controls: dict[UsbControl, float] = Field(default={})
    """By name, in the camera's own units: `v4l2-ctl --list-ctrls` shows each with its range. Switch an automatic off
    where its value is set: auto_exposure is 1 for manual and 3 for automatic, the others are 0 and 1."""
