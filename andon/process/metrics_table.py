"""Writes docs/metrics.md from `catalogue.METRICS`: `python -m andon.process.metrics_table > docs/metrics.md`."""

from andon.process.catalogue import METRICS

_HEAD = """# Metrics

Each process serves its metrics on `/metrics`. Times are in seconds. `python -m andon.process.metrics_table >
docs/metrics.md` writes this page.

| metric | kind | labels | meaning |
|---|---|---|---|
"""


def table() -> str:
    """The page, in Markdown."""
    rows = [
        f"| `{metric.name}` | {metric.kind} | {', '.join(metric.labels)} | {metric.help} |\n"
        for metric in sorted(METRICS, key=lambda metric: metric.name)
    ]
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    print(table(), end="")  # noqa: T201  # the module's purpose
