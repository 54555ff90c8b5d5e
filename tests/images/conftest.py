"""The images, built once for all tests, and a line that runs in them."""

from collections.abc import Callable, Iterator

import pytest

from tests.images import bases, engine
from tests.images.build import ROLES, PipOptions, build, pip_options, torch_index

_LINES = pytest.StashKey[list[str]]()
Report = Callable[[str], None]


@pytest.fixture
def report(pytestconfig: pytest.Config) -> Report:
    """Adds a line to what is printed after the tests."""
    return pytestconfig.stash.setdefault(_LINES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if lines := config.stash.get(_LINES, []):
        terminalreporter.section("images")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def pip() -> Iterator[PipOptions]:
    if reason := engine.missing() or bases.missing():
        pytest.fail(reason)
    with pip_options() as options:
        yield options


@pytest.fixture(scope="session")
def images(pip: PipOptions) -> dict[str, str]:
    """The image of each role. They stay on this machine, so that the next build is quick."""
    bases.provide(pip)
    for role in ROLES:
        build(role, f"andon-{role}", *pip.options, "--build-arg", f"TORCH_INDEX_URL={torch_index()}")
    return {role: f"localhost/andon-{role}" for role in ROLES}
