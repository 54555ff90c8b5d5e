"""What `andon camera test` says of a camera: as JSON, as a table, and what is bad for inspection."""

from ingest.arrivals import Keyframes
from ingest.probe import PACE, Probe
from ingest.sources.traits import SHORTER, Traits

_CLOCKS = {"camera": "the camera's own", "host": "none: this host's at arrival", "file": "the file's own"}
DRIFT_PPM = 500.0
"""Quartz clocks drift by up to 100 ppm. A drift is warned of above this, which is 1.8 s an hour."""
DRIFT_S = 20.0
"""In a shorter measurement uneven arrivals look like a drift."""


def facts(found: Probe, saved: str | None) -> dict[str, object]:
    traits, keyframes, drift = found.info.traits, found.keyframes, found.drift
    return {
        "codec": found.info.codec,
        "profile": found.info.profile,
        "width": found.info.width,
        "height": found.info.height,
        "fps_told": found.info.fps,
        "fps": round(found.fps, 2),
        "fps_arrived": _rounded(found.arrived_fps),
        "clock": found.info.clock,
        "timestamps_pace": _rounded(found.pace),
        "timestamps_jumps": found.jumps,
        "jitter_ms": _rounded(found.jitter_ms),
        "drift_ppm": None if drift is None else round(drift.ppm),
        "drift_error_ppm": None if drift is None else round(drift.error_ppm),
        "bitrate_kbps": None if found.bitrate_kbps is None else round(found.bitrate_kbps),
        "b_frames": found.b_frames,
        "keyframe_interval_s": None if keyframes is None else round(keyframes.longest_s, 2),
        "keyframe_interval_complete": None if keyframes is None else keyframes.complete,
        "travels": found.travels,
        "pixels": None if traits is None else _pixels(traits),
        "frames": found.frames,
        "corrupt": found.corrupt,
        "damage": found.damage,
        "snapshot": saved,
        "notes": notes(found),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _pixels(traits: Traits) -> dict[str, object]:
    """As the stream delivers them; the line gets them upright, with 8 bits, and deinterlaced if that is so noted."""
    return {
        "format": traits.pixel_format,
        "bits": traits.bits,
        "fields": traits.fields,
        "turned_degrees": None if traits.orientation is None else traits.orientation.degrees,
        "mirrored": traits.orientation is not None and traits.orientation.mirrored,
        "sample_aspect": f"{traits.sample_aspect.numerator}:{traits.sample_aspect.denominator}",
        "levels": traits.levels,
        "matrix": traits.matrix,
        "transfer": traits.transfer,
    }


def notes(found: Probe) -> list[str]:
    """What a person may not expect: of the stream, and of the measurement."""
    lines = list(found.info.notes)
    keyframes, pace = found.keyframes, found.pace
    if keyframes is not None and keyframes.rare and not any(SHORTER in note for note in lines):
        lines.append(f"a keyframe {_interval(keyframes)}: whatever is lost spoils all pictures up to it; {SHORTER}")
    if pace is not None and abs(pace - 1) > PACE:
        lines.append(f"its timestamps advance {pace:.2f} s in 1 s: the host's clock will date its frames")
    if found.b_frames:
        lines.append("it sends B-frames, which wait for later pictures: switch them off, or each frame comes late")
    if (drift := found.drift) is not None and drift.seconds >= DRIFT_S and abs(drift.ppm) - drift.error_ppm > DRIFT_PPM:
        pace_word = "fast" if drift.ppm > 0 else "slow"
        lines.append(f"its clock runs {pace_word} by {abs(drift.ppm) * 0.0036:.1f} s an hour: is that clock broken?")
    if found.jumps:
        lines.append(f"its timestamps jump ({found.jumps} times)")
    return lines


def _interval(keyframes: Keyframes) -> str:
    return f"every {keyframes.longest_s:.1f} s" + ("" if keyframes.complete else " or more seldom")


def because(found: Probe) -> str:
    return f" ({found.damage})" if found.damage else ""


def table(found: Probe, saved: str | None) -> str:
    declared = "" if found.info.fps is None else f" (the stream says {found.info.fps:g})"
    traits = found.info.traits
    rows = [
        ("picture", f"{found.info.width}x{found.info.height} {found.info.codec}"),
        ("profile", found.info.profile or "-"),
        ("bitrate", "-" if found.bitrate_kbps is None else f"{found.bitrate_kbps:.0f} kbit/s"),
        ("rate", f"{found.fps:.2f} fps{declared}"),
        ("timestamps", _CLOCKS[found.info.clock]),
        ("jitter", "-" if found.jitter_ms is None else f"{found.jitter_ms:.1f} ms"),
        ("clock drift", "-" if found.drift is None else f"{found.drift.ppm:+.0f} ppm, +-{found.drift.error_ppm:.0f}"),
        ("B-frames", "yes" if found.b_frames else "no"),
        ("frames", f"{found.frames}, {found.corrupt} of them corrupt{because(found)}"),
    ]
    rows += [("arrival", f"{found.arrived_fps:.2f} fps")] if found.arrived_fps is not None else []
    rows += [("keyframes", _interval(found.keyframes))] if found.keyframes is not None else []
    rows += [(name.replace("_", " "), str(value)) for name, value in _pixels(traits).items()] if traits else []
    rows += [("travels", found.travels)] if found.travels else []
    rows += [("snapshot", saved)] if saved else []
    rows += [("note", note) for note in notes(found)]
    return "\n".join(f"{name:<16}{value}" for name, value in rows)
