"""`python -m tests.scaling FILE.png`: draws workers, lag and latency over the simulated day, and prints its figures."""

import sys
from pathlib import Path

import click
import matplotlib
from matplotlib import pyplot

from deploy.scaling import ScalingRule
from tests.scaling.day import HOUR_S, Day, ideal_drain_s, simulate
from tests.scaling.figures import drained_s
from tests.scaling.pool_model import PoolModel

RULE = ScalingRule(1, 8, lag_threshold=100)


def draw(day: Day, file: Path) -> None:
    matplotlib.use("Agg")
    hours = [moment.at_s / HOUR_S for moment in day.moments]
    figure, (workers, lag, latency) = pyplot.subplots(3, 1, figsize=(11, 7), sharex=True, layout="constrained")
    workers.step(hours, [moment.workers for moment in day.moments], where="post", label="started")
    workers.step(hours, [moment.ready for moment in day.moments], where="post", label="ready", linewidth=0.8)
    workers.set_ylabel("workers")
    workers.legend(loc="upper left")
    arrivals = workers.twinx()
    arrivals.plot(hours, [moment.arrivals_per_s for moment in day.moments], color="0.7", linewidth=0.8)
    arrivals.set_ylabel("frames/s", color="0.5")
    lag.plot(hours, [moment.lag for moment in day.moments], linewidth=0.8)
    lag.set_yscale("symlog", linthresh=100)
    lag.set_ylabel("lag, records")
    latency.plot(hours, [moment.latency_s for moment in day.moments], linewidth=0.8)
    latency.set_yscale("symlog", linthresh=1)
    latency.set_ylabel("oldest frame, s")
    latency.set_xlabel("hour of the day")
    latency.set_xlim(0, 24)
    latency.set_xticks(range(0, 25, 2))
    figure.savefig(file, dpi=90)


def main(file: Path) -> None:
    day = simulate(RULE, PoolModel())
    draw(day, file)
    fixed = 24.0 * RULE.most
    ideal_s = ideal_drain_s(RULE, day.model)
    click.echo(f"GPU hours: {day.gpu_hours:.1f}, with {RULE.most} workers all day {fixed:.0f}")
    click.echo(f"spike drained after {drained_s(day):.0f} s, ideal {ideal_s:.0f} s: {drained_s(day) / ideal_s:.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
