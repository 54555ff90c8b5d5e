"""Andon's worker draining a topic that was filled beforehand, beside the bare loop and what a tutorial would write."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from andon.errors import FatalError
from andon.settings import BatchSettings, KafkaSettings
from bench.harness import clips, contender, cpu
from bench.harness.clip_frames import fill
from bench.harness.contender import Result
from bench.harness.context import Room
from bench.harness.plots import Bars
from bench.harness.report import Findings, Ratio
from bench.harness.roles import Roles, document
from bench.harness.rounds import in_turn, ratio, spread

KEYS = ("worker_vs_bare", "worker_vs_tutorial_pt", "worker_vs_tutorial_same_model")
TRY_S = 2.5
SPARE = 1.5
"""The topic is filled for so many times what the bare loop could take: it must not run dry."""
LEAST_PER_S = 400.0
"""A machine that was busy while the bare loop was tried may be quick when the worker drains."""
START_S = 60.0


@dataclass(frozen=True, slots=True)
class Best:
    """How the contenders are set up, and why."""

    bare: tuple[str, ...]
    """Arguments of `bench.peers.bare_loop loop`."""
    batch: int
    """Of the worker: its own default, or what is best for the bare loop where that is larger."""
    tutorial_pt: tuple[str, ...]
    figures: Mapping[str, Any]


def measure(room: Room) -> Findings:
    topic = room.servers.fresh_kafka()
    bare = contender.run("peers.bare_loop", "best", span_s=0.4 if room.quick else 0.8)
    best_with = f"{bare.more['at_once']} x {bare.more['batch']} a batch, {bare.more['decoders']} decoders"
    room.say(f"worker: the bare loop is best with {best_with}")
    per_s = max(SPARE * bare.frames_per_s, LEAST_PER_S)
    count = int(per_s * (room.warm_s + room.span_s + 2.0))
    _filled(room, topic, count)
    best = _best(room, topic, bare)
    room.say(f"worker: {count} frames in the topic; bare loop, worker and tutorials in turn, {room.rounds} rounds")
    results = in_turn(_contenders(room, topic, best, count), room.rounds)
    return _findings(results, best)


def _filled(room: Room, topic: KafkaSettings, count: int) -> None:
    with Roles(room.new_folder("filling"), document(room.folder, topic, room.servers.redis)) as roles:
        roles.create_topics()
    fill(topic, clips.all_jpegs(), count)


def _best(room: Room, topic: KafkaSettings, bare: Result) -> Best:
    """The tutorial with the `.pt`: with ultralytics' own number of threads, or with one for each core."""
    tried = {
        threads: contender.run("peers.tutorial", *_tutorial("pt", topic, threads), span_s=TRY_S) for threads in (0, 2)
    }
    threads = max(tried, key=lambda each: tried[each].frames_per_cpu_s)
    names = {0: "ultralytics' own", 2: "two"}
    figures = {
        "bare_tried_frames_per_s": bare.more["tried_frames_per_s"],
        "tutorial_pt_tried_threads": {names[each]: result.figures() for each, result in tried.items()},
        "tutorial_pt_threads": names[threads],
    }
    loop = ("loop", *(f"--{key.replace('_', '-')}={bare.more[key]}" for key in ("batch", "decoders", "at_once")))
    batch = max(int(bare.more["batch"]), BatchSettings().size)
    return Best(loop, batch, _tutorial("pt", topic, threads), figures)


def _tutorial(model: str, topic: KafkaSettings, threads: int = 0) -> tuple[str, ...]:
    where = ("--bootstrap", topic.bootstrap_servers, "--topic", topic.frames_topic)
    return ("--model", model, "--threads", str(threads), *where)


def _contenders(room: Room, topic: KafkaSettings, best: Best, count: int) -> dict[str, Callable[[], Result]]:
    span_s, warm = room.span_s, ("--warm", f"{room.warm_s:g}")
    same = _tutorial("same", topic)
    return {
        "bare": lambda: contender.run("peers.bare_loop", *best.bare, *warm, span_s=span_s),
        "worker": lambda: drain(room, topic, count, best.batch),
        "tutorial_pt": lambda: contender.run("peers.tutorial", *best.tutorial_pt, *warm, span_s=span_s),
        "tutorial_same_model": lambda: contender.run("peers.tutorial", *same, *warm, span_s=span_s),
    }


def drain(room: Room, topic: KafkaSettings, count: int, batch: int) -> Result:
    """`andon work`, a group of its own, from the topic's beginning: between two marks of its /metrics.

    Raises FatalError where the topic ran dry meanwhile.
    """
    kafka = room.servers.fresh_kafka().model_copy(update={"frames_topic": topic.frames_topic})
    folder = room.new_folder("worker")
    line = document(folder, kafka, room.servers.fresh_redis())
    line["pools"]["default"]["batch"] = {"size": batch}
    with Roles(folder, line) as roles:
        roles.create_topics()
        roles.start("worker", "work")
        roles.until(lambda: _inspected(roles) > 0, START_S, "the first inspection")
        time.sleep(room.warm_s)
        first = _mark(roles, room)
        time.sleep(room.span_s)
        last = _mark(roles, room)
        roles.stop("worker")
    span = cpu.between(first, last)
    if last.frames["worker"] > 0.98 * count:
        raise FatalError(f"the topic of {count} frames ran dry: the span tells nothing")
    more = {"batch": batch, "broker_cpu_ms_a_frame": 1000 * span.cpu_s["broker"] / span.frames["worker"]}
    return Result(span.frames["worker"], span.wall_s, span.cpu_s["worker"], more)


def _inspected(roles: Roles) -> float:
    return roles.metrics("worker").get("andon_workers_frames_inspected_total", 0.0)


def _mark(roles: Roles, room: Room) -> cpu.Mark:
    inspected = _inspected(roles)
    return cpu.mark(roles.pids() | {"broker": room.servers.pids["broker"]}, {"worker": inspected})


def _findings(results: Mapping[str, Sequence[Result]], best: Best) -> Findings:
    per_s = {name: [result.frames_per_s for result in rounds] for name, rounds in results.items()}
    per_cpu_s = {name: [result.frames_per_cpu_s for result in rounds] for name, rounds in results.items()}
    middle = {name: _median(rounds) for name, rounds in results.items()}
    rates = {f"{name}_frames_per_s": result.frames_per_s for name, result in middle.items()}
    costs = {f"{name}_frames_per_cpu_s": result.frames_per_cpu_s for name, result in middle.items()}
    ratios = [Ratio("worker_vs_bare", ratio(per_s["worker"], per_s["bare"]), rates)]
    for peer in ("tutorial_pt", "tutorial_same_model"):
        ratios.append(Ratio(f"worker_vs_{peer}", ratio(per_cpu_s["worker"], per_cpu_s[peer]), costs))
    figures = {name: result.figures() for name, result in middle.items()}
    noise = {name: spread(values) for name, values in per_s.items()}
    return Findings(
        ratios,
        {**figures, "rounds_frames_per_s": per_s, "spread_of_rounds": noise, **best.figures},
        {"worker, beside the bare loop and a tutorial's consumer": table(middle)},
        [
            Bars("worker_frames_per_s", "Draining JPEGs", "frames/s", {n: r.frames_per_s for n, r in middle.items()}),
            Bars("worker_cpu", "Draining JPEGs", "CPU ms a frame", {n: r.cpu_ms_a_frame for n, r in middle.items()}),
        ],
    )


def _median(rounds: Sequence[Result]) -> Result:
    """The round in the middle by frames a second: its numbers belong together."""
    return sorted(rounds, key=lambda result: result.frames_per_s)[len(rounds) // 2]


def table(results: Mapping[str, Result]) -> list[dict[str, object]]:
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
