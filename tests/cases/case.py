"""A case: one sentence about an input that once broke a program of this kind, and that input.

The modules beside this one have one parametrized test each and a tuple of rows. To turn a bug report into a row, open
the module of its kind: a source, a picture, a stream, a model, a data set, a broker, a server, a clock, a setting, or a
stall. Say in one sentence what a correct system does, name where it was reported, and give the input. The sentence is
the test's name, so a red row says which promise is broken.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import pytest

Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class Case(Generic[Given]):
    """One row."""

    sentence: str
    """What a correct system does with the input: subject, verb, object."""
    reported: str
    """Where people met it, as `project#number`, or `seen by hand`."""
    given: Given
    """The input, and the outcome; each module says how."""
    marks: tuple[pytest.MarkDecorator, ...] = ()
    """What the row needs that a machine may lack, as pytest marks."""


def rows(cases: Iterable[Case[Given]]) -> pytest.MarkDecorator:
    """The decorator that runs a test once for each case, as its parameter `given`, under the sentence as its name.

    Raises ValueError if two rows have the same sentence.
    """
    listed = tuple(cases)
    if len({case.sentence for case in listed}) < len(listed):
        raise ValueError("two cases have the same sentence")
    return pytest.mark.parametrize(
        "given", [pytest.param(case.given, id=case.sentence, marks=case.marks) for case in listed]
    )
