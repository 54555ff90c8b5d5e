"""The rules for Prometheus: each alert fires when it should and has its line in the runbook, and on a real line a real
Prometheus finds data for every expression.
"""

import json
import re
import shutil
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from andon.process.catalogue import METRICS
from deploy.grafana.boards import BOARDS
from deploy.grafana.dashboards import FOLDER as GRAFANA
from deploy.grafana.dashboards import files
from deploy.local.server import free_port
from sample_streams import clips, model_card
from tests.integration.deploy.test_up import up, wait_for_inspections

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy" / "prometheus" / "rules.yaml"
EMPTY_ON_A_SOUND_LINE = {
    "andon_ingest_capture_failures_total": "no capture failed",
    "andon_ingest_frames_corrupt_total": "no frame was corrupt",
    "andon_ingest_frames_with_gap_total": "no packet was lost",
    "andon_ingest_frames_too_large_total": "no frame was too large",
    "andon_ingest_spool_failures_total": "no spool was full or failed",
    "andon_ingest_spool_damages_total": "no spool was damaged",
    "andon_ingest_frames_shed_total": "no frame was shed",
    "andon_workers_frames_shed_total": "no frame was shed",
    "andon_stage_records_quarantined_total": "no record went to quarantine",
    "andon_stage_records_expired_total": "no record expired",
    "andon_stage_paused_seconds_total": "no partition was held back",
    "andon_sinks_captured_twice_total": "no camera had two ingesters",
    "andon_stage_commits_refused_total": "no partition had two owners",
    "andon_board_": "nobody looks at the board",
    "andon_kafka_records_cut_total": "no log lost its end",
    " unless ": "nothing that should be there is missing",
    "andon_workers_camera_refused": "no camera is past its quarantine limit",
    "andon_sinks_outbox_given_up_total": "no alert was given up",
    "andon_sinks_write_failures_total": "no write failed",
    "andon_sinks_parts_total": "the line follows no parts",
    "andon_clock_offset_seconds": "the embedded broker stamps no records",
    "andon_workers_gpu_energy_joules_total": "no GPU whose energy NVML tells",
    "andon:gpu_joules_per_1000_inspections": "as above",
    "andon_traces_spans_dropped_total": "no span was dropped",
    "ALERTS": "no alert fires",
}
"""Metrics without series, and why."""


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} here: apt-get install prometheus")
    return found


def test_each_alert_has_a_severity_a_summary_and_a_line_in_the_runbook() -> None:
    runbook = (ROOT / "docs" / "operations.md").read_text()
    for alert in alerts():
        name, severity = alert["alert"], alert["labels"]["severity"]
        assert severity in ("page", "ticket")
        assert alert["annotations"]["summary"]
        assert alert["annotations"]["runbook"] == f"docs/operations.md#{name.lower()}"
        assert f'<a id="{name.lower()}"></a>`{name}`, {severity} |' in runbook


def test_the_rules_use_only_metrics_that_there_are() -> None:
    known = {f"{metric.name}{suffix}" for metric in METRICS for suffix in ("", "_bucket", "_sum", "_count")}
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for expression in expressions().values():
        used = set(re.findall(r"\bandon[_:][a-z0-9_:]+", expression))
        assert used <= known | recorded, expression


def test_each_metric_is_on_a_dashboard_or_in_a_rule() -> None:
    used = "\n".join([*expressions().values(), *(rule["expr"] for rule in rules())])
    assert [metric.name for metric in METRICS if metric.name not in used] == []


def test_the_dashboards_are_those_that_their_source_writes() -> None:
    for file, content in files().items():
        assert file.read_text() == content, f"{file.name}: run python -m deploy.grafana.dashboards"
    assert {file.stem for file in GRAFANA.glob("*.json")} == {board.name for board in BOARDS}


def test_each_alert_fires_on_its_fault_and_none_on_a_sound_line(tmp_path: Path) -> None:
    text = (Path(__file__).parent / "rules_test.yaml").read_text().replace("RULES", str(RULES))
    (tmp_path / "test.yaml").write_text(text)
    run = [program("promtool"), "test", "rules", str(tmp_path / "test.yaml")]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    tested = set(re.findall(r"alertname: (\w+)", text.split("each fault raises its alert")[1]))
    assert tested == {alert["alert"] for alert in alerts()}


@contextmanager
def prometheus(folder: Path, targets: list[str]) -> Iterator[str]:
    """A Prometheus that scrapes `targets` every second and evaluates the rules; its URL."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "andon", "static_configs": [{"targets": targets}]}],
    }
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    arguments = [f"--config.file={file}", f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address={address}"]
    with (folder / "prometheus.log").open("wb") as log:
        server = subprocess.Popen([program("prometheus"), *arguments], stdout=log, stderr=log)
        try:
            yield f"http://{address}"
        finally:
            server.terminate()
            server.wait(60)


def ask(url: str, expression: str) -> list[Any]:
    """The result of a query; empty also while the server starts."""
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query?query={urllib.parse.quote(expression)}", timeout=60) as answer:
            result: list[Any] = json.load(answer)["data"]["result"]
    except OSError:
        return []
    return result


def without_thresholds(expression: str) -> str:
    """Comparisons that keep every series: what remains empty has no data."""
    return re.sub(r"(==|!=|>=|<=|>|<) (?=[\d.])", r"\1 bool ", expression)


def expressions() -> dict[str, str]:
    """Of every rule, and of every curve of every dashboard."""
    found = {rule.get("alert") or rule["record"]: without_thresholds(rule["expr"]) for rule in rules()}
    for board in BOARDS:
        for panel in board.panels:
            for legend, query in panel.queries.items():
                found[f"{board.name}: {panel.title}: {legend}"] = query.replace("$camera", "press-1")
    return found


def unexplained(expressions: Iterable[str]) -> list[str]:
    """Those without data of which none of their metrics says why."""
    return [each for each in expressions if not any(metric in each for metric in EMPTY_ON_A_SOUND_LINE)]


def test_a_real_prometheus_on_a_real_line_has_data_for_every_expression(tmp_path: Path) -> None:
    program("prometheus")
    config = tmp_path / "line.yaml"
    cameras = [{"id": f"press-{number}", "url": str(clips.FOLDER / "press-1.mp4"), "loop": True} for number in (1, 2)]
    pools = {"default": {"model": {"weights": str(model_card.MODEL)}}}
    config.write_text(yaml.safe_dump({"cameras": cameras, "pools": pools}))
    with up(config) as line:
        wait_for_inspections(config, 30)
        logs = [(config.parent / "andon-data" / "logs" / f"{name}.log") for name in ("ingest", "worker-1", "sinks")]
        targets = [re.findall(r"event=process.started .*http=(\S+)", log.read_text())[-1] for log in logs]
        with prometheus(tmp_path, targets) as url:
            missing = expressions()
            deadline = time.monotonic() + 90
            while unexplained(missing.values()) and time.monotonic() < deadline:
                missing = {name: expression for name, expression in missing.items() if not ask(url, expression)}
                time.sleep(0.5)
            firing = [result["metric"] for result in ask(url, 'ALERTS{alertstate="firing"}')]
        line.send_signal(signal.SIGINT)
        assert line.wait(60) == 0
    assert unexplained(missing.values()) == []
    assert firing == []
