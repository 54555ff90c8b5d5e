"""The order in which one frame's parts, defects and verdicts are judged.

A part that is in view for fewer frames than a defect's window has is judged by the same share of the frames that it
had (4 of 8 are 2 of 4), never by a single one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from andon.messages import PartDefect, PartVerdict, UnknownReason
from andon.settings import DefectSettings
from sinks.judgement.consequences import NOTHING, Judgement
from sinks.judgement.defects import DefectHistory, judge, open_defect
from sinks.judgement.part_tracks import PartTrack
from sinks.judgement.parts import PartHistory, PartPosition, Parts, follow, forget_parts
from sinks.judgement.places import LEAST_HITS, anchors, attach
from sinks.judgement.rules import CameraPartRules, DefectRules, FrameView
from sinks.judgement.tracker import Match, Track, Tracks, advance, drop


@dataclass(frozen=True, slots=True)
class Moment:
    """Whose verdict it is, and when it is given: the capture time of the frame that decides."""

    camera_id: str
    session: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PartScene:
    """A camera's parts and the defects on them. All of it is state, changed in place."""

    parts: Parts
    defects: dict[str, DefectHistory]
    """By track."""
    tracks: Tracks
    rules: DefectRules

    def advance(self, frame: FrameView, own: CameraPartRules) -> Judgement:
        """Take the scene on by one frame, in an order in which each verdict knows all that was seen of its part:

        1. Follow the parts. Some have left the picture.
        2. Give the belt's velocity to the tracker: parts show it best.
        3. Settle the parts that have left, while the defects on them are still open.
        4. Forget these parts, and drop the tracks of the defects on them.
        5. Follow the defects; those on parts are expected at their places.
        6. Attach the defects to the parts on which they lie.
        7. Judge the defects: opened, updated, closed.
        8. Record the confirmed defects with their parts.
        9. Settle the parts that have crossed the line.
        10. Count the verdicts.
        """
        inspection = frame.inspection
        moment = Moment(inspection.camera_id, inspection.session, inspection.captured_at)
        left = follow(self.parts, frame, own)
        alive = {track.part_id: track for track in self.parts.tracks.alive}
        if self.parts.tracks.belt is not None:
            self.tracks.belt = self.parts.tracks.belt
        judgement = self._settle_left(left, own, moment)
        matches = drop(self.tracks, self._forget(left))
        matches += self._follow_defects(frame, alive)
        self._attach(alive, matches)
        owners = {name: place.part_id for name, place in self.parts.places.items()}
        judgement += judge(self.defects, matches, inspection, self.rules, owners)
        self._record_defects(alive)
        judgement += self._settle_crossed(alive, frame, own, moment)
        self._count(judgement)
        return judgement

    def end(self, moment: Moment) -> Judgement:
        """The session is over: no part in view will be seen to cross the line."""
        judgement = NOTHING
        for track in self.parts.tracks.alive:
            part = self.parts.histories[track.part_id]
            if not part.judged and not part.only_moved_away(track):
                judgement += self._settle(part, track, "session_ended", moment)
        self._count(judgement)
        forget_parts(self.parts)
        return judgement

    def _settle_left(self, left: Sequence[PartTrack], own: CameraPartRules, moment: Moment) -> Judgement:
        """The verdicts on parts that left the picture without one, or were not seen for too long."""
        judgement = NOTHING
        for track in left:
            part = self.parts.histories[track.part_id]
            real = part.gap or bool(part.defects) or (track.hits >= LEAST_HITS and part.whole)
            passed_before = not part.late and part.only_moved_away(track)
            if real and not part.judged and not passed_before:
                judgement += self._settle(part, track, _doubt_about(part, track, own), moment)
        return judgement

    def _forget(self, left: Sequence[PartTrack]) -> list[str]:
        """Forget these parts. Returns the tracks of the defects on them."""
        gone = {track.part_id for track in left}
        for part_id in gone:
            del self.parts.histories[part_id]
        names = [name for name, place in self.parts.places.items() if place.part_id in gone]
        for name in names:
            del self.parts.places[name]
        return names

    def _follow_defects(self, frame: FrameView, alive: Mapping[str, PartTrack]) -> list[Match]:
        if not frame.shows_defects:
            return []
        return advance(self.tracks, frame, self.rules.settings, anchors(self.parts, alive, self.tracks.alive))

    def _attach(self, alive: Mapping[str, PartTrack], matches: Sequence[Match]) -> None:
        for name, place in attach(self.parts, alive, matches).items():
            if self.defects[name].opened_at is None:
                _note_unconfirmed(self.parts.histories[place.part_id], place)

    def _record_defects(self, alive: Mapping[str, PartTrack]) -> None:
        for name, place in self.parts.places.items():
            defect = self.defects.get(name)
            if defect is not None and defect.opened_at is not None:
                self._record(self.parts.histories[place.part_id], alive[place.part_id], place, defect)

    def _record(self, part: PartHistory, track: PartTrack, place: PartPosition, defect: DefectHistory) -> None:
        recorded = part.defects.get(defect.defect_id)
        if part.judged or (recorded is not None and recorded.best_frame == defect.best_frame):
            return
        part.defects[defect.defect_id] = PartDefect(
            defect_id=defect.defect_id,
            label=defect.label,
            severity=self.rules.severity(defect.label),
            confidence=defect.confidence,
            x=(place.x - track.x.low) / track.x.length,
            y=(place.y - track.y.low) / track.y.length,
            box=defect.best_box,
            best_frame=defect.best_frame,
            evidence=defect.evidence,
        )

    def _settle_crossed(
        self, alive: Mapping[str, PartTrack], frame: FrameView, own: CameraPartRules, moment: Moment
    ) -> Judgement:
        """The verdicts on parts that have crossed the line, unless a candidate on them may yet be confirmed."""
        judgement = NOTHING
        for part_id, track in alive.items():
            part = self.parts.histories[part_id]
            ready = part.crossed_at is not None and not part.judged and (part.gap or track.hits >= LEAST_HITS)
            if ready and not self._undecided(part_id, frame):
                judgement += self._settle(part, track, _doubt_about(part, track, own), moment)
        return judgement

    def _undecided(self, part_id: str, frame: FrameView) -> bool:
        """Whether a candidate on the part was seen lately, and is still in the picture."""
        return any(
            track.window and _in_picture(track, frame) and self.defects[track.track_id].opened_at is None
            for track in self.tracks.alive
            if (place := self.parts.places.get(track.track_id)) is not None and place.part_id == part_id
        )

    def _settle(self, part: PartHistory, track: PartTrack, doubt: UnknownReason | None, moment: Moment) -> Judgement:
        """The verdict on one part. `doubt`: the reason not to pass it, if there is one."""
        needed = _needed_hits(track.hits, self.rules.settings)
        judgement = self._decide_candidates(part, track, needed, moment)
        if doubt is None and part.unconfirmed_frames >= max(2, needed / 2):
            doubt = "unconfirmed_defect"
        part.judged = True
        return judgement + Judgement(verdicts=(_verdict(part, track, doubt, moment, self.rules),))

    def _decide_candidates(self, part: PartHistory, track: PartTrack, needed: int, moment: Moment) -> Judgement:
        """Confirm the candidates on the part that were seen in `needed` frames. Note the others as unconfirmed."""
        judgement = NOTHING
        for name, place in self.parts.places.items():
            defect = self.defects.get(name)
            if place.part_id != track.part_id or defect is None or defect.opened_at is not None:
                continue
            if place.window_hits < needed:
                _note_unconfirmed(part, place)
                continue
            judgement += open_defect(defect, moment.at, self.rules)
            self._record(part, track, place, defect)
        return judgement

    def _count(self, judgement: Judgement) -> None:
        for verdict in judgement.verdicts:
            self.parts.count(verdict.verdict)


def _doubt_about(part: PartHistory, track: PartTrack, own: CameraPartRules) -> UnknownReason | None:
    """The reason not to pass the part, apart from candidates on it; None: there is none."""
    if part.crossed_at is not None:
        return "too_few_frames" if part.frames < own.min_frames else None
    return "not_seen_at_line" if part.only_moved_away(track) else "vanished"


def _note_unconfirmed(part: PartHistory, place: PartPosition) -> None:
    part.unconfirmed_frames = max(part.unconfirmed_frames, place.window_hits)


def _in_picture(track: Track, frame: FrameView) -> bool:
    return 0 <= track.x <= frame.inspection.width and 0 <= track.y <= frame.inspection.height


def _needed_hits(frames: int, settings: DefectSettings) -> int:
    """Frames that must show a defect on a part which was seen in this number of frames."""
    share = ceil(settings.confirm_frames * min(frames, settings.confirm_window) / settings.confirm_window)
    return min(settings.confirm_frames, max(2, share))


def _verdict(
    part: PartHistory, track: PartTrack, doubt: UnknownReason | None, moment: Moment, rules: DefectRules
) -> PartVerdict:
    defects = tuple(part.defects.values())
    verdict = "reject" if defects else "pass" if doubt is None else "unknown"
    return PartVerdict(
        event_id=f"{track.part_id}/verdict",
        part_id=track.part_id,
        verdict=verdict,
        reason=doubt if verdict == "unknown" else None,
        camera_id=moment.camera_id,
        session=moment.session,
        label=rules.part or "",
        defects=defects,
        first_frame=part.first_frame,
        last_frame=part.last_frame,
        frames=part.frames,
        crossed_at=part.crossed_at,
        at=moment.at,
    )
