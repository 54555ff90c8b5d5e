"""The time that the line took to recover from each fault. Tests measure it; the run ends with a table of it."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Recoveries:
    """Rows of the table: (fault, seconds, what had to be back)."""

    rows: list[tuple[str, float, str]] = field(default_factory=list)

    def add(self, fault: str, seconds: float, what: str) -> None:
        self.rows.append((fault, seconds, what))

    def table(self) -> str:
        """As Markdown, so that it can be pasted into a page."""
        lines = ["| fault | recovered after | what was back |", "|---|---|---|"]
        lines += [f"| {fault} | {seconds:.1f} s | {what} |" for fault, seconds, what in self.rows]
        return "\n".join(lines)

    def write(self, path: Path) -> None:
        path.write_text(self.table() + "\n")
