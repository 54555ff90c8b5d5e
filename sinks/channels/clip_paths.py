"""Where the clip of an event lies: its address follows from the picture's, so that no event needs a field for it."""

from andon.messages import Defect, PartVerdict

PICTURE, CLIP, PART = ".jpg", ".mp4", ".part.mp4"


def clip_of(event: Defect | PartVerdict) -> str | None:
    """The address at which the clip of a defect or of a rejected part is stored, if it has one; None: it gets none.

    A clip is stored some seconds after its event, and never if the line makes none (`sinks.evidence.clip`) or if the
    frames were gone.
    """
    if isinstance(event, Defect):
        return None if event.evidence is None else clip_beside(event.evidence, CLIP)
    evidence = [defect.evidence for defect in event.defects if defect.evidence is not None]
    return clip_beside(evidence[0], PART) if event.verdict == "reject" and evidence else None


def clip_beside(picture: str, ending: str) -> str:
    """The address, or the path, of the clip that lies beside a picture."""
    return picture.removesuffix(PICTURE) + ending
