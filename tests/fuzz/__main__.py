"""Fuzz the line's readers: `python -m tests.fuzz` reads 100,000 mutated records and 100,000 mutated pictures;
`python -m tests.fuzz records --seed 7` (or `pictures`) replays one."""

import argparse
import subprocess
import sys
import time

from tests.fuzz.decoding import run
from tests.fuzz.reading import read

COUNT = 100_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("kind", nargs="?", choices=("records", "pictures"))
    parser.add_argument("--seed", type=int, help="replay this input")
    parser.add_argument("--count", type=int, default=COUNT)
    arguments = parser.parse_args()
    first, count = (0, arguments.count) if arguments.seed is None else (arguments.seed, 1)
    if arguments.kind != "pictures":
        begun_s = time.process_time()
        messages = sum(read(seed) for seed in range(first, first + count))
        took_s = time.process_time() - begun_s
        print(f"{count} records: {messages} messages, {count - messages} refused, {took_s:.0f} s")  # noqa: T201
    if arguments.kind == "pictures" and arguments.seed is not None:
        print(run(first, count))  # noqa: T201
    elif arguments.kind != "records":
        return pictures(first, count)
    return 0


def pictures(first: int, count: int) -> int:
    """Runs in a child process: a crash of the decoder ends only the child, and its exit status shows it."""
    return subprocess.run([sys.executable, "-m", "tests.fuzz.decoding", str(first), str(count)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
