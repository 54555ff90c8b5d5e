"""What one inspected frame shows, and what follows: parts, then the defects on them and elsewhere, then verdicts."""

from math import hypot

from andon.messages import Detection, Inspection
from sinks.judgement import part_verdicts
from sinks.judgement.defects import DefectRules, Judgement, close_all, judge
from sinks.judgement.part_verdicts import Scene
from sinks.judgement.parts import PartRules, Parts, follow, forget_parts
from sinks.judgement.state import JudgementState
from sinks.judgement.tracker import NO_ANCHORS, Anchors, Match, Sight, advance, drop, forget


def sighted(state: JudgementState, seen: Inspection, rules: DefectRules, parts: PartRules | None) -> Judgement:
    """Take `state` (in place) on by a frame that was inspected."""
    defects = rules.counted(seen)
    if parts is None:
        return _judged(state, seen, defects, rules) if _telling(seen, found=bool(defects)) else Judgement()
    shown = rules.parts(seen, parts.settings.min_confidence)
    if not _telling(seen, found=bool(defects or shown)):
        return Judgement()
    return _on_parts(state, seen, (defects, shown), rules, parts)


def ended(state: JudgementState, camera_id: str, rules: DefectRules) -> Judgement:
    """The session under way is over."""
    judgement = Judgement()
    parts = state.parts
    if parts is not None and parts.captured_at is not None and state.session is not None:
        nowhere = (0, 0)  # nothing more will be seen
        scene = Scene(camera_id, state.session, parts.captured_at, nowhere, parts, state.defects, state.tracks)
        judgement = part_verdicts.settle_all(scene, rules)
        _count(parts, judgement)
        forget_parts(parts)
    forget(state.tracks)
    return judgement + close_all(state.defects, rules)


def _telling(seen: Inspection, *, found: bool) -> bool:
    """Whether the frame says anything of defects. What is found on a dark or blurred one is raised, as missing it would
    be worse; what is not found there may still be there. A frozen picture says nothing that it has not said before."""
    return seen.health is None or (found and seen.health != "frozen")


def _on_parts(
    state: JudgementState,
    seen: Inspection,
    found: tuple[tuple[Detection, ...], tuple[Detection, ...]],
    rules: DefectRules,
    parts: PartRules,
) -> Judgement:
    """`found`: defects, and parts. What has left is settled before its defects are closed, what crosses after they are
    judged: so that each verdict knows all that was seen."""
    if state.parts is None:
        state.parts = Parts()
    known, own = state.parts, parts.of(seen.camera_id)
    defects, shown = found
    left = follow(known, seen, shown, own)
    if known.tracks.belt is not None:
        state.tracks.belt = known.tracks.belt
    scene = _scene(state, known, seen)
    judgement = part_verdicts.settle_left(scene, left, rules, own)
    matches = drop(state.tracks, part_verdicts.remove(known, left))
    if seen.health is None or defects:
        matches += _advanced(state, seen, defects, rules, part_verdicts.anchors(known, state.tracks))
    owners = part_verdicts.attach(known, matches, state.defects)
    judgement += judge(state.defects, matches, seen, rules, owners)
    part_verdicts.note(known, state.defects, rules)
    judgement += part_verdicts.settle_crossed(scene, rules, own)
    _count(known, judgement)
    return judgement


def _scene(state: JudgementState, parts: Parts, seen: Inspection) -> Scene:
    size = (seen.width, seen.height)
    return Scene(seen.camera_id, seen.session, seen.captured_at, size, parts, state.defects, state.tracks)


def _count(parts: Parts, judgement: Judgement) -> None:
    for verdict in judgement.verdicts:
        match verdict.verdict:
            case "pass":
                parts.passed += 1
            case "reject":
                parts.rejected += 1
            case "unknown":
                parts.unknown += 1


def _judged(state: JudgementState, seen: Inspection, defects: tuple[Detection, ...], rules: DefectRules) -> Judgement:
    return judge(state.defects, _advanced(state, seen, defects, rules), seen, rules)


def _advanced(
    state: JudgementState,
    seen: Inspection,
    defects: tuple[Detection, ...],
    rules: DefectRules,
    anchors: Anchors = NO_ANCHORS,
) -> list[Match]:
    settings = rules.settings
    sight = Sight(seen.frame_id, seen.captured_at, seen.media_time_s, hypot(seen.width, seen.height), defects)
    window, forget_after = settings.confirm_window, settings.close_after_frames
    return advance(state.tracks, sight, settings.max_move, forget_after, window, anchors)
