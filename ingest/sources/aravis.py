"""Finds Aravis, the library for GigE Vision and USB3 Vision cameras. No other module loads it.

It is a library of the distribution and is reached through GObject introspection (PyGObject). It is loaded when the
first such camera is opened or looked for: a line without one needs neither.
"""

import importlib
import importlib.machinery
import importlib.util
import sys
import threading
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

from ingest.sources.source import SourceError

_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
PLACES = (
    Path("/usr/lib/python3/dist-packages"),
    Path("/usr/lib", _VERSION, "site-packages"),
    Path("/usr/lib64", _VERSION, "site-packages"),
)
"""Where distributions keep PyGObject, for a Python that doesn't look there itself: one in a virtual environment."""
REMEDY = "on Debian or Ubuntu: apt-get install gir1.2-aravis-0.8 python3-gi; docs/cameras.md says what else there is"
_LOADING = threading.Lock()


def library() -> Any:
    """The module Aravis. Blocks while it loads. Raises SourceError: it is missing; one line says what to install."""
    try:
        with _LOADING, warnings.catch_warnings():
            warnings.simplefilter("ignore", ImportWarning)  # of PyGObject's importer, which is of the old kind
            _bindings().require_version("Aravis", "0.8")
            return importlib.import_module("gi.repository.Aravis")
    except (ImportError, ValueError) as error:
        raise SourceError(f"industrial cameras need the library Aravis ({error}): {REMEDY}") from None


def _bindings() -> Any:
    """The module gi: this Python's own (`pip install andon[genicam]`), else the distribution's, if it fits."""
    try:
        return importlib.import_module("gi")
    except ImportError:
        folder = next((place / "gi" for place in PLACES if _fits(place / "gi")), None)
        if folder is None:
            raise
        return _loaded(folder)


def _fits(folder: Path) -> bool:
    """Whether its compiled part is one for this Python: a distribution has it for its own version only."""
    return any((folder / f"_gi{suffix}").exists() for suffix in importlib.machinery.EXTENSION_SUFFIXES)


def _loaded(folder: Path) -> ModuleType:
    """This one package: nothing else of the distribution's may take the place of what is installed here."""
    spec = importlib.util.spec_from_file_location(
        "gi", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gi"] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules["gi"]
        raise
    return module
