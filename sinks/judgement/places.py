"""Where defects lie on parts. A defect keeps its place on its part, so it is searched for there, at any speed."""

from collections.abc import Mapping, Sequence
from math import hypot

from andon.messages import Box
from sinks.judgement.geometry import centre
from sinks.judgement.part_tracks import Axis, PartTrack
from sinks.judgement.parts import PartPosition, Parts
from sinks.judgement.tracker import Anchor, Anchors, Match, Track

INSIDE = 1.1
"""A defect is on the part in whose box its centre lies, or lies this close to it, in half lengths of the part."""
ON_PART_GATE = 0.15
"""How far from its place on the part a defect may be seen, in the part's lengths, beside half of its own size."""
PLACE_GAIN = 0.3
OTHER_SPEED = 0.5
"""Two things do not move together if their velocities differ by more, in the part's speed."""
SLOW = 30.0
"""px/s: a smaller difference may be a box that shakes."""
LEAST_HITS = 3
"""Frames in which a track must be seen before its own velocity counts."""


def anchors(parts: Parts, alive: Mapping[str, PartTrack], tracks: Sequence[Track]) -> Anchors:
    """By track, where the defects on parts must be on this frame. `alive`: the tracked parts by id."""
    if not parts.places:
        return {}
    found = {}
    for track in tracks:
        place = parts.places.get(track.track_id)
        part = None if place is None else alive.get(place.part_id)
        if place is not None and part is not None:
            gate_px = ON_PART_GATE * max(part.x.length, part.y.length) + max(track.width, track.height) / 2
            found[track.track_id] = Anchor(
                part.x.at + place.x, part.y.at + place.y, part.x.speed, part.y.speed, gate_px
            )
    return found


def attach(parts: Parts, alive: Mapping[str, PartTrack], matches: Sequence[Match]) -> dict[str, PartPosition]:
    """Bring the places up to date by these matches. Returns, by track, the places of forgotten tracks."""
    forgotten = {}
    for match in matches:
        name = match.track.track_id
        place = parts.places.get(name)
        if match.gone:
            if place is not None:
                forgotten[name] = parts.places.pop(name)
        elif match.detection is not None:
            if place is None:
                place = _find(alive, match.track, match.detection.box)
            else:
                _move(place, alive[place.part_id], match.detection.box)
            if place is not None:
                place.window_hits = max(place.window_hits, match.track.window.bit_count())
                parts.places[name] = place
    return forgotten


def _find(alive: Mapping[str, PartTrack], track: Track, box: Box) -> PartPosition | None:
    """The place on the part in whose box it lies deepest; None: on no part.

    A track that was seen to move otherwise is not on the part: parts pass over it, or below the dirt on a lens.
    """
    x, y = centre(box)
    depths = [(max(_from_centre(part.x, x), _from_centre(part.y, y)), part) for part in alive.values()]
    depth, part = min(depths, key=lambda item: item[0], default=(INSIDE, None))
    if part is None or depth >= INSIDE or (track.hits >= LEAST_HITS and _moves_otherwise(track, part)):
        return None
    return PartPosition(part.part_id, x - part.x.at, y - part.y.at)


def _moves_otherwise(track: Track, part: PartTrack) -> bool:
    speed = hypot(part.x.speed, part.y.speed)
    return hypot(track.vx - part.x.speed, track.vy - part.y.speed) > max(SLOW, OTHER_SPEED * speed)


def _from_centre(axis: Axis, at: float) -> float:
    """0 in the middle, 1 at the edges."""
    return abs(at - axis.centre) / max(1.0, axis.length / 2)


def _move(place: PartPosition, part: PartTrack, box: Box) -> None:
    x, y = centre(box)
    place.x += PLACE_GAIN * (x - part.x.at - place.x)
    place.y += PLACE_GAIN * (y - part.y.at - place.y)
