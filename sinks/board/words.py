"""Words for states, as people read them. Marked for the catalogue; the template that shows one translates it."""

from collections.abc import Mapping
from types import MappingProxyType

from starlette.requests import Request

from sinks.board.board import board_of
from sinks.board.i18n import language_of, text, translations
from sinks.board.line_state import Word
from sinks.board.tiles import Kind

LINE: Mapping[str, str] = MappingProxyType(
    {"stop": text("STOP"), "attention": text("ATTENTION"), "runs": text("RUNS"), "blind": text("BLIND")}
)
CAMERA: Mapping[str, str] = MappingProxyType(
    {
        "online": text("delivers"),
        "connecting": text("connecting"),
        "offline": text("offline"),
        "stalled": text("stalled"),
        "stopped": text("stopped"),
        "frozen": text("frozen picture"),
        "dark": text("dark picture"),
        "overexposed": text("over-exposed"),
        "blurred": text("blurred"),
        "behind": text("behind"),
        "blind": text("no data"),
        "disabled": text("switched off"),
    }
)
VERDICT: Mapping[str, str] = MappingProxyType(
    {"pass": text("good"), "fail": text("defect"), "unknown": text("not known")}
)
SEVERITY: Mapping[str, str] = MappingProxyType(
    {"minor": text("minor"), "major": text("major"), "critical": text("critical")}
)
CLASSES: Mapping[Kind | Word, str] = MappingProxyType(
    {
        "normal": "normal",
        "abnormal": "attention",
        "fault": "fault",
        "blind": "blind",
        "off": "off",
        "runs": "normal",
        "attention": "attention",
        "stop": "fault",
    }
)
"""The end of the CSS classes `is-` and `on-`."""


def words_for(request: Request) -> dict[str, dict[str, str]]:
    """The words in the reader's language, as templates name them."""
    language = language_of(request, board_of(request).settings.board.languages)
    say = translations(language).gettext
    named: dict[str, Mapping[str, str]] = {
        "line_words": LINE,
        "state_words": CAMERA,
        "verdict_words": VERDICT,
        "severity_words": SEVERITY,
    }
    return {name: {key: say(word) for key, word in words.items()} for name, words in named.items()}
