"""Shows the running demo: a live table on a terminal, else a plain line every few seconds."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sample_streams.observer import ObservedCamera, Observer

REFRESH_S = 0.5
LINE_S = 5.0
ALERTS = 5
"""The number of latest alerts in the table."""


class LiveTable:
    """Draws the observations. `lag` returns the workers' lag in records; None: unknown."""

    def __init__(self, observer: Observer, lag: Callable[[], int | None]) -> None:
        self._tally = observer
        self._lag = lag

    def table(self) -> Group:
        table = Table("camera", "state", title=self._title())
        for heading in ("fps", "inspected", "shed, quarantined", "behind ms", "batch"):
            table.add_column(heading, justify="right")
        table.add_column("verdict")
        for name, camera in self._tally.cameras.items():
            table.add_row(name, camera.state, *_numbers(camera), Text(camera.verdict, style=_style(camera.verdict)))
        return Group(table, *self._last_alerts())

    def line(self) -> str:
        cameras = self._tally.cameras
        fps = sum(camera.fps for camera in cameras.values())
        behind_ms = max((camera.behind_s for camera in cameras.values()), default=0.0) * 1000
        seeing = " ".join(f"{name}={camera.verdict or camera.state}" for name, camera in cameras.items())
        return f"{self._title()} fps={fps:.1f} behind_ms={behind_ms:.0f} {seeing}"

    def _title(self) -> str:
        lag = self._lag()
        opened = sum(alert.defect.transition == "opened" for alert in self._tally.alerts)
        return f"inspected={self._tally.inspected} lag={'?' if lag is None else lag} defects={opened}"

    def _last_alerts(self) -> list[Text]:
        lines = []
        for alert in self._tally.alerts[-ALERTS:]:
            defect = alert.defect
            at = f"{alert.at.astimezone():%H:%M:%S}"
            words = f"{at} {defect.camera_id} {defect.label} {defect.transition} ({defect.severity})"
            lines.append(Text(words, style="bold red" if defect.transition == "opened" else "dim"))
        return lines


def _numbers(camera: ObservedCamera) -> tuple[str, ...]:
    behind_ms = f"{camera.behind_s * 1000:.0f}"
    return f"{camera.fps:.1f}", str(camera.inspected), str(camera.other), behind_ms, str(camera.batch)


def _style(verdict: str) -> str:
    return {"ok": "green", "unknown": "yellow", "": "dim"}.get(verdict, "bold red")


async def show(picture: LiveTable, console: Console) -> None:
    """Show it until cancelled."""
    live = Live(console=console, auto_refresh=False) if console.is_terminal else None
    block: AbstractContextManager[object] = live or nullcontext()

    def draw() -> None:
        if live:
            live.update(picture.table(), refresh=True)
        else:
            console.print(picture.line(), highlight=False, soft_wrap=True)

    with block:
        try:
            while True:
                draw()
                await asyncio.sleep(REFRESH_S if live else LINE_S)
        finally:
            draw()
