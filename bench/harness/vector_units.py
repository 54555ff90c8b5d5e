"""What the processor multiplies with: ratios between runtimes depend on it more than on anything else."""

from pathlib import Path

UNITS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8", "asimd")
"""Linux's names, in the order of their speed."""


def vector_units(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    """Those of UNITS that this processor has. Empty: unknown."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    flags = next((line.split(":", 1)[1].split() for line in lines if line.startswith(("flags", "Features"))), [])
    return [unit for unit in UNITS if unit in flags]
