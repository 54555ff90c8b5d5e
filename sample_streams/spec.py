"""The specification of a synthetic line: every number that its picture depends on.

Two equal `LineSpec` give byte-identical frames, so a clip, its truth and a training set are all named by their spec.
"""

from dataclasses import dataclass

DEFECTS = ("scratch", "dent", "stain", "crack", "missing_hole")
"""Names of the defect classes."""
CLASSES = ("part", *DEFECTS)
"""The model's classes: a class's position is its number in data sets and in the model."""
SIZES = ("small", "medium", "large")
"""Their pixels stand in flaws.py, for holes in shapes.py."""

SLOWEST, FASTEST = 30.0, 240.0
"""The range of parts a minute on which the model was trained."""


@dataclass(frozen=True, slots=True)
class Look:
    """The camera's view of the line. Grey levels are 0-255, x and y in pixels."""

    metal_grey: float = 165.0
    belt_grey: float = 58.0
    light_gradient: float = 0.18
    """Relative loss of brightness from the lamp's side to the other."""
    light_angle_rad: float = 0.6
    flicker: float = 0.02
    """Relative amplitude of the lamps' flicker."""
    flicker_hz: float = 100.1
    """Twice the mains' frequency, which is never quite 50 Hz: the camera sees the slow beat with its own rate."""
    noise_grey: float = 2.0
    """Standard deviation of the sensor's noise."""
    exposure_s: float = 0.0008
    """Moving things smear by the belt's way in this time; faster flicker evens out."""
    softness_px: float = 0.5
    """Standard deviation of the lens's blur."""


@dataclass(frozen=True, slots=True)
class LineSpec:
    """One line before one camera, from its seed on."""

    seed: int = 0
    width_px: int = 640
    height_px: int = 480
    fps: int = 30
    n_frames: int = 600
    margin_frames: int = 8
    """Frames without any part at the beginning and at the end, so that a loop has no seam."""
    parts_per_minute: float = 60.0
    pitch_px: float = 340.0
    """Distance of the parts' centres; it and the parts a minute give the belt's speed."""
    position_jitter: float = 0.04
    """Largest offset of a part from its place on the belt, in pitches."""
    lateral_jitter_px: float = 40.0
    tilt_jitter_rad: float = 0.2
    defect_rate: float = 0.2
    """Probability that a part has a defect."""
    second_defect_rate: float = 0.3
    """Probability that a part with a defect has one more, up to `most_defects`."""
    most_defects: int = 2
    look: Look = Look()

    def __post_init__(self) -> None:
        if min(self.width_px, self.height_px, self.fps, self.n_frames) < 1:
            raise ValueError("a line needs a picture and frames: width_px, height_px, fps and n_frames from 1 on")
        if min(self.parts_per_minute, self.pitch_px) <= 0:
            raise ValueError("a line needs a belt that moves: parts_per_minute and pitch_px above 0")

    @property
    def belt_speed_px_s(self) -> float:
        """The belt's speed."""
        return self.parts_per_minute / 60 * self.pitch_px

    @property
    def step_px(self) -> float:
        """The belt's way from one frame to the next."""
        return self.belt_speed_px_s / self.fps

    @property
    def smear_px(self) -> float:
        """The belt's way while the shutter is open."""
        return self.belt_speed_px_s * self.look.exposure_s
