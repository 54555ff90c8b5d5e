"""Andon's worker draining a full topic, beside the bare loop."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from andon.errors import FatalError
from andon.settings import BatchSettings, KafkaSettings
from bench.harness import clips, contender
from bench.harness.clip_frames import publish_clips
from bench.harness.contender import Throughput
from bench.harness.context import Context
from bench.harness.plots import Bars
from bench.harness.report import Findings, Ratio
from bench.harness.roles import Roles, line_document
from bench.harness.rounds import Rounds
from bench.harness.tuned import ensure_tuned
from deploy.local import cpu

TRY_S = 2.5
SPARE = 1.5
"""How much more the topic holds than the bare loop could take: it must not run dry."""
LEAST_PER_S = 400.0
"""At least this many, since a machine that was busy while the bare loop was tried may be fast later."""
START_S = 60.0


@dataclass(frozen=True, slots=True)
class FullTopic:
    """A frames topic with the clips' JPEGs."""

    kafka: KafkaSettings
    frames: int


def measure(context: Context) -> Findings:
    ensure_tuned(None, context.say)
    best = contender.run("peers.bare_loop", "best", span_s=0.4 if context.quick else 0.8)
    setup = {key: str(best.more[key]) for key in ("batch", "decoders", "at_once")}
    context.say("worker: the bare loop is best with {at_once} x {batch} a batch, {decoders} decoders".format(**setup))
    topic = full_topic(context, best.frames_per_s)
    # the worker's default, or the bare loop's best batch if that is larger
    batch = max(int(setup["batch"]), BatchSettings().size)
    arguments = [f"--{key.replace('_', '-')}={value}" for key, value in setup.items()]
    arguments += ["--warm", f"{context.warm_s:g}"]
    context.say(f"worker: {topic.frames} frames; bare loop and worker in turn, {context.rounds} rounds")
    rounds = context.turns().run(
        {
            "bare": lambda: contender.run("peers.bare_loop", "loop", *arguments, span_s=context.span_s),
            "worker": lambda: drain(context, topic, batch),
        },
        lambda each: each.frames_per_s,
        "frames/s",
    )
    return findings(rounds, best)


def full_topic(context: Context, bare_per_s: float) -> FullTopic:
    """Fill a new topic, so that no contender empties it."""
    kafka = context.servers.fresh_kafka()
    count = int(max(SPARE * bare_per_s, LEAST_PER_S) * (context.warm_s + context.span_s + 2.0))
    with Roles(context.new_folder("filling"), line_document(context.folder, kafka, context.servers.redis)) as roles:
        roles.create_topics()
    publish_clips(kafka, clips.all_jpegs(), count)
    return FullTopic(kafka, count)


def drain(context: Context, topic: FullTopic, batch: int) -> Throughput:
    """Run `andon work` in a new group from the topic's first record, and measure between two scrapes of its /metrics.

    Raises FatalError if the topic ran dry meanwhile.
    """
    kafka = context.servers.fresh_kafka().model_copy(update={"frames_topic": topic.kafka.frames_topic})
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
    if last.frames["worker"] > 0.98 * topic.frames:
        raise FatalError(f"the topic of {topic.frames} frames ran dry, so the span measures nothing")
    more = {"batch": batch, "broker_cpu_ms_a_frame": 1000 * span.cpu_s["broker"] / span.frames["worker"]}
    return Throughput(span.frames["worker"], span.wall_s, span.cpu_s["worker"], more)


def _inspected(roles: Roles) -> float:
    return roles.metrics("worker").get("andon_workers_frames_inspected_total", 0.0)


def _mark(roles: Roles, context: Context) -> cpu.Mark:
    inspected = _inspected(roles)
    return cpu.mark(roles.pids() | {"broker": context.servers.pids["broker"]}, {"worker": inspected})


def findings(rounds: Rounds[Throughput], best: Throughput) -> Findings:
    medians = {name: rounds.median(name) for name in rounds.results}
    rates = {f"{name}_frames_per_s": result.frames_per_s for name, result in medians.items()}
    ratio = Ratio("worker_vs_bare", rounds.ratio("worker", "bare"), rates, rounds.spread("worker", "bare"))
    figures = {name: result.figures() for name, result in medians.items()}
    return Findings(
        [ratio],
        {**figures, **rounds.figures(), "bare_tried_frames_per_s": best.more["tried_frames_per_s"]},
        {"worker, beside the bare loop": throughput_rows(medians), "worker: rounds": rounds.rows()},
        throughput_bars("worker", medians),
    )


def throughput_bars(name: str, results: Mapping[str, Throughput]) -> list[Bars]:
    """Frames a second, and CPU of a frame."""
    rates = {each: result.frames_per_s for each, result in results.items()}
    costs = {each: result.cpu_ms_a_frame for each, result in results.items()}
    return [
        Bars(f"{name}_frames_per_s", "Draining JPEGs", "frames/s", rates),
        Bars(f"{name}_cpu", "Draining JPEGs", "CPU ms a frame", costs),
    ]


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
