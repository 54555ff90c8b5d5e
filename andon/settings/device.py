"""What a camera that hangs at this machine, or is driven by it, is asked for, whatever its kind."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from andon.settings.section import Positive, Section


class DeviceSettings(Section):
    """A camera gives what it can: `camera.noted` and `andon camera test` say what it did not accept."""

    width: Annotated[int, Field(ge=16)] | None = None
    """Pixels, together with `height`. None: the size that the camera gives by default, often 640x480 over USB."""
    height: Annotated[int, Field(ge=16)] | None = None
    fps: Positive | None = None
    """Pictures a second that the camera is to deliver. None: its default. A camera's `fps` outside this section only
    leaves pictures out."""

    @model_validator(mode="after")
    def _whole_size(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("width and height: set both or none")
        return self
