"""What kind of machine this is: processor, cores, vector units, memory, GPU."""

import os
import platform
import subprocess
from pathlib import Path

from andon.process.machine import cores, memory_bytes
from deploy.sizing.measured import MachineFigures

CPUINFO = Path("/proc/cpuinfo")
VECTOR_UNITS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "asimddp")
"""As Linux names them: what a runtime computes a model with."""
ANSWER_S = 20.0


def look() -> MachineFigures:
    return MachineFigures(
        processor=processor(),
        cores=cores(),
        vector_units=_vector_units(),
        memory_bytes=memory_bytes(),
        gpu=gpus(),
        load=round(os.getloadavg()[0], 2),
    )


def processor() -> str:
    return _of_cpuinfo("model name") or platform.processor() or platform.machine()


def gpus() -> str:
    """The names of the NVIDIA GPUs, a comma between them; empty: none, or no driver."""
    names = output_of(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"])
    return ", ".join(names.splitlines())


def output_of(command: list[str]) -> str:
    """The output of a program; empty if it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ANSWER_S)  # noqa: S603 - fixed words
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _vector_units() -> tuple[str, ...]:
    there = (_of_cpuinfo("flags") or _of_cpuinfo("Features")).split()
    return tuple(name for name in VECTOR_UNITS if name in there)


def _of_cpuinfo(key: str) -> str:
    """The first value of a key; empty: it is not there."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.split(":")[0].strip() == key), "")
