"""Checks of the store and of evidence for `andon config check`: what their URLs can't mean, and whether they answer."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from andon.errors import AndonError
from andon.folders import unwritable
from andon.settings import Settings
from sinks.channels.files import Files
from sinks.store.database import answers, sqlite_file
from sinks.store.requirements import UnfitError, check_file

ANSWER_S = 10.0
"""Time limit for an answer of the store, and of the storage of evidence."""


def check(settings: Settings) -> Iterator[str]:
    """What can be said of both without a connection."""
    file = sqlite_file(settings.sinks.store.get_secret_value())
    if file is not None and (fault := unwritable(file.parent)):
        yield f"sinks.store: {fault}"
    elif file is not None and file.is_dir():
        yield f"sinks.store: {file} is a folder; name a file in it"
    try:
        check_file(file)
    except UnfitError as error:
        yield f"sinks.store: {file}: {error}"
    url = settings.sinks.evidence.url
    Files(url)
    if "://" not in url and (fault := unwritable(Path(url))):
        yield f"sinks.evidence.url: {fault}"


def check_online(settings: Settings) -> Iterator[str]:
    """Whether the store and the storage of evidence answer."""
    store, evidence = settings.sinks.store.get_secret_value(), settings.sinks.evidence.url
    yield from _tried("sinks.store", lambda: answers(store))
    yield from _tried("sinks.evidence.url", lambda: Files(evidence).folders(""))


def _tried(key: str, ask: Callable[[], object]) -> Iterator[str]:
    """One line if `ask` fails, or takes longer than the limit; then its thread is left behind."""
    pool = ThreadPoolExecutor(1)
    answer = pool.submit(ask)
    pool.shutdown(wait=False)
    try:
        answer.result(ANSWER_S)
    except TimeoutError:
        yield f"{key}: no answer within {ANSWER_S:g} s"
    except AndonError as error:
        text = str(error)
        yield text if text.startswith(key) else f"{key}: {text}"
