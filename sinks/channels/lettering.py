"""Writes text of any script onto pictures: classes and parts are called what the people of a plant call them.

No font has every letter, so a text is drawn in runs, each in a font that has its letters. The fonts are Noto's, as they
come in two packages (SIL Open Font License). Letters of Arabic are joined by raqm, a part of Pillow that needs the
system's FriBiDi; without it they stand apart, in the right order.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from importlib.util import find_spec
from itertools import groupby

from PIL import ImageDraw, ImageFont, features

Font = ImageFont.FreeTypeFont
PLAIN = ("manimgx_fonts", "NotoSans[wght].ttf")
"""Latin, Cyrillic and Greek."""
CJK = ("noto_cjk_sans_jp_regular", "NotoSansCJKjp-Regular.otf")
"""Chinese, Japanese and Korean."""
NO_LETTER = "\U0010fffe"
"""Never assigned: every font draws its box for it."""
JOINERS = "\u200c\u200d"
"""Zero width non-joiner and joiner: they decide the form of the letters beside them."""
FONTS = 32
"""Opened fonts that are kept. 32: four scripts in some sizes of pictures."""
LETTERS = 4096


@dataclass(frozen=True, slots=True)
class Face:
    """One font file, by the package that it comes with."""

    package: str
    file: str


@dataclass(frozen=True, slots=True)
class Run:
    """Letters that one font draws."""

    text: str
    face: Face | None
    """None: Pillow's own font, where the packages are not installed."""


@dataclass(frozen=True, slots=True)
class Style:
    size_px: float
    ink: str
    rim: str | None = None
    """The colour of a rim around each letter."""


def length_px(text: str, size_px: float) -> float:
    return sum(_font(run.face, size_px).getlength(_ordered(run.text)) for run in runs(text))


def write(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, style: Style) -> None:
    """Draw one line of text. `at` is its left end, at the top of its letters."""
    x, top = at
    pieces = [(_font(run.face, style.size_px), _ordered(run.text)) for run in runs(text)]
    baseline = top + _font(_face(" "), style.size_px).getmetrics()[0]  # the plain font's, for letters of every font
    rim_px = 2 if style.rim else 0
    for font, letters in pieces:
        draw.text((x, baseline), letters, style.ink, font, "ls", stroke_width=rim_px, stroke_fill=style.rim)
        x += font.getlength(letters)


def runs(text: str) -> list[Run]:
    """The text in pieces, from left to right. Control characters are left out."""
    letters = [letter for letter in text if letter in JOINERS or unicodedata.category(letter)[0] != "C"]
    faces = list(_faces(letters))
    paired = zip(letters, _joined(letters, faces), strict=True)
    return [Run("".join(letter for letter, _ in group), face) for face, group in groupby(paired, lambda pair: pair[1])]


def _faces(letters: Sequence[str]) -> Iterator[Face | None]:
    """Of each letter; a mark has the face of the letter that it is on."""
    last: Face | None = None
    for letter in letters:
        if last is None or not _belongs(letter):
            last = _face(letter)
        yield last


def _belongs(letter: str) -> bool:
    return letter in JOINERS or unicodedata.category(letter)[0] == "M"


def _joined(letters: Sequence[str], faces: Sequence[Face | None]) -> list[Face | None]:
    """The faces with each gap between two words of one script filled: the order of Arabic words depends on it."""
    filled = list(faces)
    last: int | None = None
    for number, letter in enumerate(letters):
        if unicodedata.category(letter)[0] not in "LM":  # only letters and marks tell a script
            continue
        if last is not None and faces[last] == faces[number]:
            between = range(last + 1, number)
            if all(letters[place].isspace() for place in between):
                filled[last + 1 : number] = [faces[last]] * len(between)
        last = number
    return filled


@lru_cache(LETTERS)
def _face(letter: str) -> Face | None:
    """The first face that has the letter; the plain one, with its box, if none has."""
    known = _installed()
    if letter.isspace():
        return known[0] if known else None
    return next((face for face in known if _has(face, letter)), known[0] if known else None)


@lru_cache(1)
def _installed() -> tuple[Face, ...]:
    """The plain face first, then Chinese, Japanese and Korean, then one for each other script."""
    found = [Face(*name) for name in (PLAIN, CJK) if find_spec(name[0]) is not None]
    if find_spec(PLAIN[0]) is None:
        return tuple(found)
    others = sorted(item.name for item in files(PLAIN[0]).iterdir() if item.name.endswith(".ttf"))
    return tuple(found) + tuple(Face(PLAIN[0], name) for name in others if name != PLAIN[1] and "Italic" not in name)


@lru_cache(LETTERS)
def _has(face: Face, letter: str) -> bool:
    font = _font(face, 20)
    drawn, box = font.getmask(letter), font.getmask(NO_LETTER)
    return drawn.size != box.size or bytes(drawn) != bytes(box)


@lru_cache(FONTS)
def _font(face: Face | None, size_px: float) -> Font:
    if face is None:
        plain = ImageFont.load_default(size_px)
        assert isinstance(plain, Font)  # Pillow is built with FreeType
        return plain
    return ImageFont.truetype(str(files(face.package) / face.file), size_px)  # by its path: 16 MB stay on the disk


_SHAPES = bool(features.check("raqm"))


def _ordered(text: str) -> str:
    """The letters as they are to be drawn: raqm orders and joins them itself."""
    right_to_left = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)
    return text[::-1] if right_to_left and not _SHAPES else text
