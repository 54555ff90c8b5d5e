"""How `precision: auto` serves the model on this machine, for both workloads. All contenders then serve that."""

from bench.harness.context import Context
from bench.harness.plant_clips import IMGSZ
from bench.harness.report import Findings
from bench.harness.tuned import ensure_tuned


def measure(context: Context) -> Findings:
    """Takes minutes on a machine that never measured it, and no time afterwards."""
    tuned = {"demo": ensure_tuned(None, context.say), "plant": ensure_tuned(IMGSZ, context.say)}
    rows = [{"workload": name, "served": each["choice"] or "as the runtime chooses"} for name, each in tuned.items()]
    return Findings((), tuned, {"precision: auto": rows})
