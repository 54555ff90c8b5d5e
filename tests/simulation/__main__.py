"""Run schedules: `python -m tests.simulation --seed 7` replays one, step by step; without a seed, many."""

import argparse
import sys
import time

from tests.simulation.schedule import FailedError, simulate


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this schedule and print its steps")
    parser.add_argument("--schedules", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    given = parser.parse_args()
    if given.seed is not None:
        return _replay(given.seed)
    begun_s = time.process_time()
    for seed in range(given.first, given.first + given.schedules):
        try:
            simulate(seed)
        except FailedError as failed:
            print(failed)  # noqa: T201
            return 1
    print(f"{given.schedules} schedules hold, in {time.process_time() - begun_s:.1f} s of one core")  # noqa: T201
    return 0


def _replay(seed: int) -> int:
    steps: list[str] = []
    try:
        report: object = simulate(seed, steps)
    except FailedError as failed:
        report = failed
    print(*steps, report, sep="\n")  # noqa: T201
    return int(isinstance(report, FailedError))


if __name__ == "__main__":
    sys.exit(main())
