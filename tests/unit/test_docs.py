"""The pages that explain the house name files that exist, in rows that belong together, and terms once."""

import ast
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

from andon.settings import BoardSettings

ROOT = Path(__file__).parents[2]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")
FILE = re.compile(r"`([a-z_]+/[a-z_/]+\.py)`")
ROWS = [FILE.findall(line) for line in ARCHITECTURE.splitlines() if re.match(r"\| \d+ \|", line)]
"""For each row of the frame's way: its file, and the files in the last column."""


def imported_by(file: str) -> set[str]:
    """The files of this project that a file imports."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module, *(f"{node.module}.{item.name}" for item in node.names)}
    paths = {f"{module.replace('.', '/')}.py" for module in modules}
    return {path for path in paths if (ROOT / path).is_file()}


def linked(one: str, other: str) -> bool:
    """Whether one of the files imports the other."""
    return other in imported_by(one) or one in imported_by(other)


def test_every_file_that_the_architecture_names_exists() -> None:
    named = FILE.findall(ARCHITECTURE)
    assert [file for file in named if not (ROOT / file).is_file()] == []
    assert len(named) >= 25


def test_the_way_of_a_frame_has_25_rows_and_names_each_file_once() -> None:
    assert [len(row) > 0 for row in ROWS] == [True] * 25
    assert max(Counter(file for row in ROWS for file in row).values()) == 1


def test_a_file_in_the_last_column_serves_the_file_in_its_row() -> None:
    """It is imported there, or by another file of the same row."""
    alone = [
        (row[0], file)
        for row in ROWS
        for file in row[1:]
        if not any(linked(file, other) for other in row if other != file)
    ]
    assert alone == []


def test_links_between_the_pages_lead_to_pages() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        targets = re.findall(r"\]\(([a-z-]+\.md)\)", page.read_text("utf-8"))
        assert [target for target in targets if not (page.parent / target).is_file()] == [], page.name


def test_every_picture_is_there_shown_and_small() -> None:
    pages = {page: page.read_text("utf-8") for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))}
    shown = {
        page.parent / target
        for page, text in pages.items()
        for target in re.findall(r"\]\(((?:docs/)?images/[^)]+)\)", text)
    }
    there = set((ROOT / "docs" / "images").iterdir())
    assert (shown - there, there - shown) == (set(), set())
    assert [picture.name for picture in there if picture.stat().st_size > 150_000] == []


def test_the_table_of_the_boards_settings_has_each_of_them() -> None:
    table = "\n".join(
        re.findall(r"^\| (`board\..*?) \|", (ROOT / "docs" / "board.md").read_text("utf-8"), re.MULTILINE)
    )
    assert [name for name in BoardSettings.model_fields if not re.search(rf"`board\.{name}\b", table)] == []


def test_the_glossary_explains_each_term_once() -> None:
    rows = [line.split("|")[1] for line in GLOSSARY.splitlines() if line.startswith("|")]
    terms = Counter(term.strip(" `") for row in rows for term in row.split(","))
    repeated = {term: count for term, count in terms.items() if count > 1 and term not in ("term", "---")}
    assert repeated == {}
    assert all(before != after for before, after in pairwise(rows))
