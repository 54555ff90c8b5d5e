from pathlib import Path

from bench.harness.vector_units import vector_units


def test_the_vector_units_are_those_that_linux_names(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor: 0\nflags\t\t: fpu avx2 avx512f avx512_vnni sse2\n", encoding="utf-8")
    assert vector_units(info) == ["avx2", "avx512f", "avx512_vnni"]
    assert vector_units(tmp_path / "missing") == []
