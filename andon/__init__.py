"""The contract that ingest, workers and sinks share; it imports none of them."""

from importlib.metadata import version

__version__ = version("andon")
