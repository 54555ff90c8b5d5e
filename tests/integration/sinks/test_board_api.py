"""The whole API keeps what its description promises: schemathesis calls each operation with values good and bad."""

import asyncio
import re
import sys
from pathlib import Path

from andon.settings import RedisSettings
from sinks.board.api import OPERATIONS
from sinks.board.api.openapi import document
from tests.board import a_board, at_an_address
from tests.outbox import a_defect

EXAMPLES = 3
"""For each operation and phase: with more it takes minutes, and found nothing more."""


async def test_every_operation_keeps_its_description(tmp_path: Path, valkey: RedisSettings) -> None:
    settings = {"line": "press hall", "board": {"port": 0}}
    async with a_board(tmp_path, settings, valkey) as ours, at_an_address(ours) as url:
        await ours.put_defects(*(a_defect(number) for number in range(3)))
        await ours.add_user("api", "admin")
        token = await ours.add_token("api", "admin")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/api/v1/openapi.json"),
            *("--header", f"Authorization: Bearer {token}"),
            *("--max-examples", str(EXAMPLES), "--seed", "1", "--phases", "examples,coverage,fuzzing"),
            # a cursor or a shift's name may fit its schema and still be none
            *("--checks", "all", "--exclude-checks", "positive_data_acceptance"),
            # an id in a path may be nearly any text, and most of them are no path
            *("--suppress-health-check", "filter_too_much"),
            *("--no-color", "--generation-database", "none"),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()


def test_the_description_names_each_operation_once_and_the_role_that_it_takes() -> None:
    described = document(OPERATIONS)
    operations = [each for path in described["paths"].values() for each in path.values()]
    ids = [each["operationId"] for each in operations]
    assert len(ids) == len(set(ids)) == len(OPERATIONS)
    assert all(
        re.fullmatch(r"Takes the role (viewer|operator|engineer|admin)\.", each["description"]) for each in operations
    )
    assert described["openapi"] == "3.1.0"
