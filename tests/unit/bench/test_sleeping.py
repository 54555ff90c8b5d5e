"""The detector that sleeps keeps a detector's promises."""

import sys
from subprocess import run

import numpy as np

from bench.sleeping import SleepingDetector


def test_it_gives_as_many_results_as_pictures_and_sees_nothing() -> None:
    found = SleepingDetector(0.0).detect([np.zeros((4, 4, 3), np.uint8)] * 3)
    assert [len(each.boxes) for each in found] == [0, 0, 0]


def test_its_worker_loads_no_runtime() -> None:
    heavy = "{'torch', 'openvino', 'ultralytics'} & set(sys.modules)"
    done = run([sys.executable, "-c", f"import sys, bench.sleeping; sys.exit(bool({heavy}))"], check=False)
    assert done.returncode == 0
