"""Runs `andon audit --json` on a line."""

import asyncio
import json
from pathlib import Path
from typing import Any

from andon.errors import FatalError
from deploy.local.line import andon


async def audit(config: Path) -> dict[str, Any]:
    """The report on the line of this line.yaml. Raises FatalError if the command prints none."""
    process = await asyncio.create_subprocess_exec(
        *andon("audit", "-c", str(config), "--json"), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    try:
        account: dict[str, Any] = json.loads(out)
    except ValueError:
        raise FatalError(f"andon audit printed no report: {_reason(err)}") from None
    return account


def _reason(err: bytes) -> str:
    """The last line that it wrote, without its own name in front."""
    lines = err.decode(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("andon: ") if lines else "it wrote nothing"
