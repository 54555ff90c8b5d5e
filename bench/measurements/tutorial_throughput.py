"""Andon's worker draining a full topic, beside a consumer as a tutorial writes it."""

from bench.harness import contender
from bench.harness.contender import Throughput
from bench.harness.context import Context
from bench.harness.report import Findings, Ratio
from bench.harness.rounds import Rounds
from bench.harness.tuned import ensure_tuned
from bench.measurements.worker_throughput import (
    TRY_S,
    FullTopic,
    drain,
    full_topic,
    throughput_bars,
    throughput_rows,
)

BATCH = 8
"""The worker's default."""
THREADS = {0: "ultralytics' own", 2: "two"}
PEERS = ("tutorial_pt", "tutorial_same_model")


def measure(context: Context) -> Findings:
    ensure_tuned(None, context.say)
    bare_per_s = float(context.figures.get("worker", {}).get("bare", {}).get("frames_per_s", 0.0))
    topic = full_topic(context, bare_per_s)
    trials = {
        threads: contender.run("peers.tutorial", *_arguments("pt", topic, threads), span_s=TRY_S) for threads in THREADS
    }
    threads = max(trials, key=lambda each: trials[each].frames_per_cpu_s)
    warm = ("--warm", f"{context.warm_s:g}")

    def tutorial(model: str, threads: int) -> Throughput:
        return contender.run("peers.tutorial", *_arguments(model, topic, threads), *warm, span_s=context.span_s)

    rounds = context.turns().run(
        {
            "worker": lambda: drain(context, topic, BATCH),
            "tutorial_pt": lambda: tutorial("pt", threads),
            "tutorial_same_model": lambda: tutorial("same", 0),
        },
        lambda each: each.cpu_ms_a_frame,
        "CPU ms a frame",
    )
    tried = {THREADS[each]: result.figures() for each, result in trials.items()}
    return findings(rounds, {"tutorial_pt_tried_threads": tried, "tutorial_pt_threads": THREADS[threads]})


def _arguments(model: str, topic: FullTopic, threads: int) -> tuple[str, ...]:
    where = ("--bootstrap", topic.kafka.bootstrap_servers, "--topic", topic.kafka.frames_topic)
    return ("--model", model, "--threads", str(threads), *where)


def findings(rounds: Rounds[Throughput], trials: dict[str, object]) -> Findings:
    medians = {name: rounds.median(name) for name in rounds.results}
    costs = {f"{name}_frames_per_cpu_s": result.frames_per_cpu_s for name, result in medians.items()}
    ratios = [
        # frames per CPU second: the inverse of CPU a frame
        Ratio(f"worker_vs_{peer}", rounds.ratio(peer, "worker"), costs, rounds.spread(peer, "worker"))
        for peer in PEERS
    ]
    return Findings(
        ratios,
        {**{name: result.figures() for name, result in medians.items()}, **rounds.figures(), **trials},
        {"worker, beside a tutorial's consumer": throughput_rows(medians), "tutorial: rounds": rounds.rows()},
        throughput_bars("tutorial", medians),
    )
