"""Defects on parts, and the verdict that follows. Pure.

A defect keeps its place on its part, so it is looked for there, however fast the part moves. A part that is in view for
fewer frames than a defect's window has is judged by the same share of those that it had (4 of 8 are 2 of 4), never by
a single one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil, hypot

from andon.messages import Box, PartDefect, PartVerdict, UnknownReason
from sinks.judgement.defects import DefectHistory, DefectRules, Judgement, confirmed
from sinks.judgement.part_tracks import Axis, PartTrack
from sinks.judgement.parts import CameraRules, Part, Parts, Place
from sinks.judgement.tracker import Anchor, Anchors, Match, Track, Tracks

LEAST_HITS = 3
"""What is seen in fewer frames is noise, unless frames are missing that may have shown it."""
WITHIN = 1.1
"""A defect is on the part in whose box its centre lies, or so little beside it, in half lengths."""
ON_PART_GATE = 0.15
"""So far from its place on the part a defect may be seen, in the part's lengths, beside half of its own size."""
PLACE_GAIN = 0.3
OTHER_SPEED = 0.5
"""Two things whose velocities differ by more, in the part's speed, do not move together."""
SLOW = 30.0
"""px/s: what differs by less may be a box that shakes."""
MOVED = 0.1
"""A part is taken to have moved if it went so far, in its own lengths."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a verdict is made of. `at` is the capture time of the frame that decides."""

    camera_id: str
    session: str
    at: datetime
    size: tuple[int, int]
    """The picture's width and height."""
    parts: Parts
    cases: Mapping[str, DefectHistory]
    tracks: Tracks


def anchors(parts: Parts, tracks: Tracks) -> Anchors:
    """Where the defects on parts are to be seen, by their tracks."""
    if not parts.places:
        return {}
    there = {track.part_id: track for track in parts.tracks.alive}
    known = {}
    for track in tracks.alive:
        place = parts.places.get(track.track_id)
        part = None if place is None else there.get(place.part_id)
        if place is not None and part is not None:
            gate_px = ON_PART_GATE * max(part.x.length, part.y.length) + max(track.width, track.height) / 2
            known[track.track_id] = Anchor(
                part.x.at + place.x, part.y.at + place.y, part.x.speed, part.y.speed, gate_px
            )
    return known


def attach(parts: Parts, matches: Sequence[Match], cases: Mapping[str, DefectHistory]) -> dict[str, str]:
    """Keep the places of what these matches show. Returns, by track, the parts that they are on."""
    there = {track.part_id: track for track in parts.tracks.alive}
    for match in matches:
        name = match.track.track_id
        place = parts.places.get(name)
        if match.gone:
            _forget(parts, name, cases)
        elif match.detection is not None:
            if place is None:
                place = _placed(parts, match.track, match.detection.box)
            else:
                _move(place, there[place.part_id], match.detection.box)
            if place is not None:
                place.most = max(place.most, match.track.window.bit_count())
                parts.places[name] = place
    return {name: place.part_id for name, place in parts.places.items()}


def note(parts: Parts, cases: Mapping[str, DefectHistory], rules: DefectRules) -> None:
    """Write the confirmed defects down with their parts."""
    if not parts.places:
        return
    there = {track.part_id: track for track in parts.tracks.alive}
    for name, place in parts.places.items():
        case = cases.get(name)
        if case is not None and case.opened_at is not None:
            _write_down(parts.about[place.part_id], there[place.part_id], place, case, rules)


def settle_crossed(scene: Scene, rules: DefectRules, own: CameraRules) -> Judgement:
    """The verdicts on those that have crossed the line, unless something on them may yet be confirmed."""
    judgement = Judgement()
    for track in scene.parts.tracks.alive:
        part = scene.parts.about[track.part_id]
        ready = part.crossed_at is not None and not part.judged and (part.gap or track.hits >= LEAST_HITS)
        if ready and not _undecided(scene, track.part_id):
            judgement += _settle(scene, track, rules, _reason(part, own))
    return judgement


def settle_left(scene: Scene, left: Sequence[PartTrack], rules: DefectRules, own: CameraRules) -> Judgement:
    """The verdicts on those that have left the picture without one, or were not seen for long."""
    judgement = Judgement()
    for track in left:
        part = scene.parts.about[track.part_id]
        real = part.gap or bool(part.defects) or (track.hits >= LEAST_HITS and part.whole)
        passed_before = not part.late and _beyond(part, track)
        if real and not part.judged and not passed_before:
            reason = _reason(part, own) if part.crossed_at else _unseen(part, track)
            judgement += _settle(scene, track, rules, reason)
    return judgement


def settle_all(scene: Scene, rules: DefectRules) -> Judgement:
    """The session is over: what is in view will not be seen to cross the line."""
    judgement = Judgement()
    for track in scene.parts.tracks.alive:
        part = scene.parts.about[track.part_id]
        if not part.judged and not _beyond(part, track):
            judgement += _settle(scene, track, rules, "session_ended")
    return judgement


def remove(parts: Parts, left: Sequence[PartTrack]) -> list[str]:
    """Forget these parts. Returns the tracks of the defects on them."""
    gone = {track.part_id for track in left}
    for part_id in gone:
        del parts.about[part_id]
    names = [name for name, place in parts.places.items() if place.part_id in gone]
    for name in names:
        del parts.places[name]
    return names


def _placed(parts: Parts, found: Track, box: Box) -> Place | None:
    """On the part in whose box it lies deepest; None: on none.

    What has been seen to move otherwise lies on something else: parts pass over it, or below the dirt on a lens.
    """
    x, y = (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2
    depths = [(max(_from_centre(track.x, x), _from_centre(track.y, y)), track) for track in parts.tracks.alive]
    depth, track = min(depths, key=lambda item: item[0], default=(WITHIN, None))
    if track is None or depth >= WITHIN or (found.hits >= LEAST_HITS and _apart(found, track)):
        return None
    return Place(track.part_id, x - track.x.at, y - track.y.at)


def _apart(found: Track, part: PartTrack) -> bool:
    speed = hypot(part.x.speed, part.y.speed)
    return hypot(found.vx - part.x.speed, found.vy - part.y.speed) > max(SLOW, OTHER_SPEED * speed)


def _from_centre(axis: Axis, at: float) -> float:
    """0 in the middle, 1 at the edges."""
    return abs(at - axis.centre) / max(1.0, axis.length / 2)


def _move(place: Place, part: PartTrack, box: Box) -> None:
    place.x += PLACE_GAIN * ((box.x1 + box.x2) / 2 - part.x.at - place.x)
    place.y += PLACE_GAIN * ((box.y1 + box.y2) / 2 - part.y.at - place.y)


def _forget(parts: Parts, name: str, cases: Mapping[str, DefectHistory]) -> None:
    place = parts.places.pop(name, None)
    if place is not None and cases[name].opened_at is None:
        part = parts.about[place.part_id]
        part.doubted = max(part.doubted, place.most)


def _write_down(part: Part, track: PartTrack, place: Place, case: DefectHistory, rules: DefectRules) -> None:
    told = part.defects.get(case.defect_id)
    if part.judged or (told is not None and told.best_frame == case.best_frame):
        return
    part.defects[case.defect_id] = PartDefect(
        defect_id=case.defect_id,
        label=case.label,
        severity=rules.severity(case.label),
        confidence=case.confidence,
        x=(place.x - track.x.low) / track.x.length,
        y=(place.y - track.y.low) / track.y.length,
        box=case.best_box,
        best_frame=case.best_frame,
        evidence=case.evidence,
    )


def _undecided(scene: Scene, part_id: str) -> bool:
    """Whether something on the part was seen of late, is still in the picture, and is not confirmed."""
    return any(
        track.window and _in_picture(track, scene.size) and scene.cases[track.track_id].opened_at is None
        for track in scene.tracks.alive
        if (place := scene.parts.places.get(track.track_id)) is not None and place.part_id == part_id
    )


def _in_picture(track: Track, size: tuple[int, int]) -> bool:
    return 0 <= track.x <= size[0] and 0 <= track.y <= size[1]


def _reason(part: Part, own: CameraRules) -> UnknownReason | None:
    return "too_few_frames" if part.frames < own.min_frames else None


def _unseen(part: Part, track: PartTrack) -> UnknownReason:
    return "not_seen_at_line" if _beyond(part, track) else "vanished"


def _beyond(part: Part, track: PartTrack) -> bool:
    """First seen beyond the line: it has only moved away from it."""
    way_px = MOVED * max(track.x.length, track.y.length)
    return part.crossed_at is None and abs(part.last_px) > abs(part.first_px) + way_px


def _settle(scene: Scene, track: PartTrack, rules: DefectRules, reason: UnknownReason | None) -> Judgement:
    """The verdict on one part. `reason`: what keeps it from passing, if anything does."""
    part = scene.parts.about[track.part_id]
    needed = _needed(track.hits, rules)
    late = Judgement()
    for name, place in scene.parts.places.items():
        case = scene.cases.get(name)
        if place.part_id != track.part_id or case is None or case.opened_at is not None:
            continue
        if place.most < needed:
            part.doubted = max(part.doubted, place.most)
            continue
        late += confirmed(case, scene.at, rules)
        _write_down(part, track, place, case, rules)
    if reason is None and part.doubted >= max(2, needed / 2):
        reason = "unconfirmed_defect"
    part.judged = True
    return late + Judgement(verdicts=(_verdict(scene, track, part, reason, rules),))


def _needed(hits: int, rules: DefectRules) -> int:
    """In how many frames something must be seen on a part that was seen in so many."""
    settings = rules.settings
    share = ceil(settings.confirm_frames * min(hits, settings.confirm_window) / settings.confirm_window)
    return min(settings.confirm_frames, max(2, share))


def _verdict(
    scene: Scene, track: PartTrack, part: Part, reason: UnknownReason | None, rules: DefectRules
) -> PartVerdict:
    defects = tuple(part.defects.values())
    verdict = "reject" if defects else "pass" if reason is None else "unknown"
    return PartVerdict(
        event_id=f"{track.part_id}/verdict",
        part_id=track.part_id,
        verdict=verdict,
        reason=reason if verdict == "unknown" else None,
        camera_id=scene.camera_id,
        session=scene.session,
        label=rules.part or "",
        defects=defects,
        first_frame=part.first_frame,
        last_frame=part.last_frame,
        frames=part.frames,
        crossed_at=part.crossed_at,
        at=scene.at,
    )
