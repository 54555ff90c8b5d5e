"""Andon's worker draining a full topic, beside the bare loop and a tutorial's consumer."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from andon.errors import FatalError
from andon.settings import BatchSettings, KafkaSettings
from bench.harness import clips, contender
from bench.harness.clip_frames import publish_clips
from bench.harness.contender import Throughput
from bench.harness.context import Context
from bench.harness.plots import Bars
from bench.harness.report import Findings, Ratio
from bench.harness.roles import Roles, line_document
from bench.harness.rounds import interleave, median_ratio, relative_spread
from bench.harness.tuned import ensure_tuned
from deploy.local import cpu

KEYS = ("worker_vs_bare", "worker_vs_tutorial_pt", "worker_vs_tutorial_same_model")
TRY_S = 2.5
SPARE = 1.5
"""How much more the topic holds than the bare loop could take: it must not run dry."""
LEAST_PER_S = 400.0
"""At least this many, since a machine that was busy while the bare loop was tried may be fast later."""
START_S = 60.0


@dataclass(frozen=True, slots=True)
class Setups:
    """The fastest setup of each contender, and the figures that it was chosen by."""

    bare: tuple[str, ...]
    """Arguments of `bench.peers.bare_loop loop`."""
    batch: int
    """Of the worker: its default, or the bare loop's best batch if that is larger."""
    tutorial_pt: tuple[str, ...]
    figures: Mapping[str, Any]


def measure(context: Context) -> Findings:
    ensure_tuned(None, context.say)
    topic = context.servers.fresh_kafka()
    bare = contender.run("peers.bare_loop", "best", span_s=0.4 if context.quick else 0.8)
    best_with = f"{bare.more['at_once']} x {bare.more['batch']} a batch, {bare.more['decoders']} decoders"
    context.say(f"worker: the bare loop is best with {best_with}")
    per_s = max(SPARE * bare.frames_per_s, LEAST_PER_S)
    count = int(per_s * (context.warm_s + context.span_s + 2.0))
    _fill_topic(context, topic, count)
    setups = _choose_setups(context, topic, bare)
    context.say(f"worker: {count} frames; bare loop, worker and tutorials in turn, {context.rounds} rounds")
    results = interleave(_contenders(context, topic, setups, count), context.rounds)
    return _findings(results, setups)


def _fill_topic(context: Context, topic: KafkaSettings, count: int) -> None:
    with Roles(context.new_folder("filling"), line_document(context.folder, topic, context.servers.redis)) as roles:
        roles.create_topics()
    publish_clips(topic, clips.all_jpegs(), count)


def _choose_setups(context: Context, topic: KafkaSettings, bare: Throughput) -> Setups:
    """Try the tutorial on the `.pt` with ultralytics' own number of threads and with two."""
    trials = {
        threads: contender.run("peers.tutorial", *_tutorial("pt", topic, threads), span_s=TRY_S) for threads in (0, 2)
    }
    threads = max(trials, key=lambda each: trials[each].frames_per_cpu_s)
    names = {0: "ultralytics' own", 2: "two"}
    figures = {
        "bare_tried_frames_per_s": bare.more["tried_frames_per_s"],
        "tutorial_pt_tried_threads": {names[each]: result.figures() for each, result in trials.items()},
        "tutorial_pt_threads": names[threads],
    }
    loop = ("loop", *(f"--{key.replace('_', '-')}={bare.more[key]}" for key in ("batch", "decoders", "at_once")))
    batch = max(int(bare.more["batch"]), BatchSettings().size)
    return Setups(loop, batch, _tutorial("pt", topic, threads), figures)


def _tutorial(model: str, topic: KafkaSettings, threads: int = 0) -> tuple[str, ...]:
    where = ("--bootstrap", topic.bootstrap_servers, "--topic", topic.frames_topic)
    return ("--model", model, "--threads", str(threads), *where)


def _contenders(
    context: Context, topic: KafkaSettings, setups: Setups, count: int
) -> dict[str, Callable[[], Throughput]]:
    span_s, warm = context.span_s, ("--warm", f"{context.warm_s:g}")
    same = _tutorial("same", topic)
    return {
        "bare": lambda: contender.run("peers.bare_loop", *setups.bare, *warm, span_s=span_s),
        "worker": lambda: drain(context, topic, count, setups.batch),
        "tutorial_pt": lambda: contender.run("peers.tutorial", *setups.tutorial_pt, *warm, span_s=span_s),
        "tutorial_same_model": lambda: contender.run("peers.tutorial", *same, *warm, span_s=span_s),
    }


def drain(context: Context, topic: KafkaSettings, count: int, batch: int) -> Throughput:
    """Run `andon work` in a new group from the topic's first record, and measure between two scrapes of its /metrics.

    Raises FatalError if the topic ran dry meanwhile.
    """
    kafka = context.servers.fresh_kafka().model_copy(update={"frames_topic": topic.frames_topic})
    folder = context.new_folder("worker")
    line = line_document(folder, kafka, context.servers.fresh_redis())
    line["pools"]["default"]["batch"] = {"size": batch}
    with Roles(folder, line) as roles:
        roles.create_topics()
        roles.start("worker", "work")
        roles.until(lambda: _inspected(roles) > 0, START_S, "the first inspection")
        time.sleep(context.warm_s)
        first = _mark(roles, context)
        time.sleep(context.span_s)
        last = _mark(roles, context)
        roles.stop("worker")
    span = cpu.between(first, last)
    if last.frames["worker"] > 0.98 * count:
        raise FatalError(f"the topic of {count} frames ran dry, so the span measures nothing")
    more = {"batch": batch, "broker_cpu_ms_a_frame": 1000 * span.cpu_s["broker"] / span.frames["worker"]}
    return Throughput(span.frames["worker"], span.wall_s, span.cpu_s["worker"], more)


def _inspected(roles: Roles) -> float:
    return roles.metrics("worker").get("andon_workers_frames_inspected_total", 0.0)


def _mark(roles: Roles, context: Context) -> cpu.Mark:
    inspected = _inspected(roles)
    return cpu.mark(roles.pids() | {"broker": context.servers.pids["broker"]}, {"worker": inspected})


def _findings(results: Mapping[str, Sequence[Throughput]], setups: Setups) -> Findings:
    per_s = {name: [result.frames_per_s for result in rounds] for name, rounds in results.items()}
    per_cpu_s = {name: [result.frames_per_cpu_s for result in rounds] for name, rounds in results.items()}
    medians = {name: _median(rounds) for name, rounds in results.items()}
    rates = {f"{name}_frames_per_s": result.frames_per_s for name, result in medians.items()}
    costs = {f"{name}_frames_per_cpu_s": result.frames_per_cpu_s for name, result in medians.items()}
    ratios = [Ratio("worker_vs_bare", median_ratio(per_s["worker"], per_s["bare"]), rates)]
    for peer in ("tutorial_pt", "tutorial_same_model"):
        ratios.append(Ratio(f"worker_vs_{peer}", median_ratio(per_cpu_s["worker"], per_cpu_s[peer]), costs))
    figures = {name: result.figures() for name, result in medians.items()}
    noise = {name: relative_spread(values) for name, values in per_s.items()}
    return Findings(
        ratios,
        {**figures, "rounds_frames_per_s": per_s, "spread_of_rounds": noise, **setups.figures},
        {"worker, beside the bare loop and a tutorial's consumer": throughput_rows(medians)},
        [
            Bars("worker_frames_per_s", "Draining JPEGs", "frames/s", {n: r.frames_per_s for n, r in medians.items()}),
            Bars("worker_cpu", "Draining JPEGs", "CPU ms a frame", {n: r.cpu_ms_a_frame for n, r in medians.items()}),
        ],
    )


def _median(rounds: Sequence[Throughput]) -> Throughput:
    """The round with the median frames a second. All its figures are of one round, so they fit together."""
    return sorted(rounds, key=lambda result: result.frames_per_s)[len(rounds) // 2]


def throughput_rows(results: Mapping[str, Throughput]) -> list[dict[str, object]]:
    """A row for each contender."""
    return [
        {
            "contender": name,
            "frames/s": result.frames_per_s,
            "CPU ms a frame": result.cpu_ms_a_frame,
            "frames per CPU second": result.frames_per_cpu_s,
        }
        for name, result in results.items()
    ]
