"""The value of `--workers`: a number, or two with dots between them."""

import re

import click

_RANGE = re.compile(r"(?P<least>\d{1,4})(\.\.(?P<most>\d{1,4}))?")


class WorkerRange(click.ParamType[tuple[int, int | None]]):
    """Gives (least, most); `most` is None for a number alone."""

    name = "number or range"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int | None]:
        found = _RANGE.fullmatch(str(value).strip())
        if found is None:
            self.fail(f"{value!r}: expected a number such as 2, or a range such as 1..4", param, ctx)
        least, most = int(found["least"]), found["most"]
        if most is None and least < 1:
            self.fail("0 workers would inspect nothing; 0..4 lets a pool sleep while it has no work", param, ctx)
        if most is not None and not least <= int(most) >= 1:
            self.fail(f"{value!r}: the second number is the most, so at least 1 and not below the first", param, ctx)
        return least, None if most is None else int(most)
