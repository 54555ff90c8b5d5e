"""Which tests run side by side when pytest has several processes (`pytest -n 3`), and in which order they start.

A file's tests share one process, so that its fixtures are made once. All tests that run a whole line share one process,
too: a line takes every core, listens at its default ports, and has to keep up with its cameras.
"""

from typing import Any

import pytest

WHOLE_LINES = (
    "tests/e2e/",
    "tests/faults/",
    "tests/integration/deploy/test_bench_line.py",
    "tests/integration/deploy/test_prometheus.py",
    "tests/integration/deploy/test_up.py",
    "tests/security/test_up.py",
)
APART = ("tests/simulation/", "tests/fuzz/")
"""Their tests are long and share no fixture, so each may run in another process."""
LONGEST = (
    *WHOLE_LINES,
    "tests/simulation/",
    "tests/conformance/test_detector.py",
    "tests/integration/workers/",
    "tests/security/",
    "tests/conformance/",
    "tests/fuzz/",
    "tests/cases/test_streams.py",
    "tests/browser/",
    "tests/integration/",
    "tests/unit/andon/video/",
    "tests/unit/workers/test_video.py",
)
"""They start first, in this order, so that no process is left with a long file while the others have nothing to do."""


def group(nodeid: str) -> str:
    """The tests of one group run one after another in one process."""
    if nodeid.startswith(WHOLE_LINES):
        return "whole lines"
    return nodeid if nodeid.startswith(APART) else nodeid.split("::", 1)[0]


def rank(nodeid: str) -> int:
    """The lower, the earlier it starts."""
    return next((rank for rank, prefix in enumerate(LONGEST) if nodeid.startswith(prefix)), len(LONGEST))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: rank(item.nodeid))  # stable: within a rank they stay in order


@pytest.hookimpl(optionalhook=True)  # pytest-xdist is not there where a single file is tried
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - only with -n

    class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    config.option.loadscopereorder = False  # it would sort the groups by their number of tests
    return GroupScheduling(config, log)
