"""What a synthetic line is made of: every number that the scene and its picture depend on.

Two equal `LineSpec` give byte-identical frames, so a clip, its truth and a training set are all named by their spec.
"""

from dataclasses import dataclass

CLASSES = ("scratch", "dent", "stain", "crack", "missing_hole")
"""Names of the defect classes; a class's position is its number in labels and in the model."""


@dataclass(frozen=True, slots=True)
class Look:
    """How the camera sees the line. Grey levels are 0-255, x and y in pixels."""

    metal_grey: float = 165.0
    belt_grey: float = 58.0
    light_gradient: float = 0.18
    """Relative fall of brightness from the lamp's side to the other."""
    light_angle_rad: float = 0.6
    flicker: float = 0.025
    """Relative amplitude of the lamps' flicker."""
    flicker_hz: float = 1.7
    noise_grey: float = 2.5
    """Standard deviation of the sensor's noise."""
    exposure_s: float = 0.010
    """Motion blur is the way that the belt goes in this time."""


@dataclass(frozen=True, slots=True)
class LineSpec:
    """One line before one camera, from its seed on."""

    seed: int = 0
    width_px: int = 640
    height_px: int = 480
    fps: int = 15
    n_frames: int = 300
    margin_frames: int = 8
    """Frames without any part at the beginning and at the end, so that a loop has no seam."""
    parts_per_minute: float = 38.0
    belt_speed_px_s: float = 205.0
    spacing_jitter: float = 0.06
    """Relative deviation of the distance between two parts."""
    lateral_jitter_px: float = 45.0
    tilt_jitter_rad: float = 0.2
    defect_rate: float = 0.35
    """Probability that a part has a defect."""
    second_defect_rate: float = 0.3
    """Probability that a part with a defect has a second one."""
    look: Look = Look()

    def __post_init__(self) -> None:
        if min(self.width_px, self.height_px, self.fps, self.n_frames) < 1 or self.belt_speed_px_s <= 0:
            raise ValueError("a line needs a picture, frames and a belt that moves")

    @property
    def step_px(self) -> float:
        """How far the belt moves from one frame to the next."""
        return self.belt_speed_px_s / self.fps
