"""The sleeping detector, and its worker."""

import sys
from pathlib import Path
from subprocess import run

import numpy as np
import yaml

from andon.config import load
from andon.settings import KafkaSettings, RedisSettings
from bench.harness.roles import line_document
from bench.harness.sleeping_worker import SleepingDetector
from workers.model.classes import require_classes


def test_it_returns_an_empty_result_for_each_picture() -> None:
    found = SleepingDetector(0.0).detect([np.zeros((4, 4, 3), np.uint8)] * 3)
    assert [len(each.boxes) for each in found] == [0, 0, 0]


def test_its_worker_loads_no_runtime() -> None:
    heavy = "{'torch', 'openvino', 'ultralytics'} & set(sys.modules)"
    done = run(
        [sys.executable, "-c", f"import sys, bench.harness.sleeping_worker; sys.exit(bool({heavy}))"], check=False
    )
    assert done.returncode == 0


def test_its_worker_knows_the_classes_of_the_benchs_line_yaml(tmp_path: Path) -> None:
    config = tmp_path / "line.yaml"
    config.write_text(yaml.safe_dump(line_document(tmp_path, KafkaSettings(), RedisSettings())), encoding="utf-8")
    require_classes(load(config), "default", SleepingDetector(0.0).info.classes)
