"""The board's languages: English stands in the templates, each other one in a catalogue beside this file.

A catalogue is read once at the start, as it is written (`.po`), so nothing must be compiled. `missing` compares it with
the templates and the code.
"""

import io
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from babel.core import negotiate_locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from starlette.requests import Request

HERE = Path(__file__).parent
SOURCE = "en"
COOKIE = "andon_language"
_METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
_KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "text": None}


def catalogue(language: str) -> Catalog:
    with (HERE / "locales" / language / "LC_MESSAGES" / "board.po").open("rb") as file:
        return read_po(file, locale=language)


@cache
def translations(language: str) -> NullTranslations:
    """The texts of a language; English is what the templates say."""
    if language == SOURCE:
        return NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, catalogue(language))
    compiled.seek(0)
    return Translations(compiled)


def language_of(request: Request, offered: Sequence[str]) -> str:
    """The reader's choice, else the best that the browser asks for, else the line's first language."""
    chosen = request.query_params.get("lang") or request.cookies.get(COOKIE)
    if chosen in offered:
        return str(chosen)
    wanted = [part.split(";")[0].strip() for part in request.headers.get("accept-language", "").split(",")]
    return negotiate_locale(wanted, list(offered), sep="-") or offered[0]


def text(message: str) -> str:
    """Marks a text in code for the catalogue; the template that shows it translates it."""
    return message


def used() -> set[str | tuple[str, ...]]:
    """Every text in templates and code."""
    found = extract_from_dir(HERE, _METHODS, keywords=_KEYWORDS, options_map=_OPTIONS)
    return {tuple(message) if isinstance(message, tuple | list) else message for _, _, message, _, _ in found}


_OPTIONS: Mapping[str, dict[str, str]] = {"templates/**.html": {"silent": "false"}}


def missing(language: str) -> tuple[list[str], list[str]]:
    """Texts that the catalogue lacks or has no translation of, and those of its texts that nobody uses."""
    entries = {message.id: message for message in catalogue(language) if message.id}
    there = {
        key: all(entry.string) if isinstance(entry.string, tuple) else entry.string for key, entry in entries.items()
    }
    texts = used()
    return sorted(str(key) for key in texts if not there.get(key)), sorted(
        str(key) for key in entries if key not in texts
    )
