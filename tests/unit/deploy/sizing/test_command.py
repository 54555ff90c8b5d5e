"""`andon size`: a table for people, JSON for programs, one line for mistakes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from andon.cli import main
from deploy.sizing.needs import NAMES
from tests.unit.deploy.sizing.plants import measured

FARM = ("--cameras", "200", "--fps", "30", "--resolution", "1080p", "--model", "yolo26s", "--gpu", "l4")


def size(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["size", *arguments], env={"COLUMNS": "160"})


def test_the_table_has_a_line_for_each_figure_and_names_the_sources() -> None:
    done = size(*FARM, "--retention", "24h")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("200 cameras, 1920x1080, 30 frames/s each")
    rows = [line.split("│") for line in done.output.splitlines() if line.startswith("│")]
    assert [row[1].strip() for row in rows if row[1].strip()] == [name for name, _ in NAMES.values()]
    assert "[1] " in done.output
    assert "ultralytics" in done.output


def test_the_json_has_every_figure_by_its_key_in_base_units() -> None:
    document = json.loads(size(*FARM, "--json").stdout)
    assert document["asked"]["cameras"] == 200
    assert list(document["figures"]) == list(NAMES)
    assert document["figures"]["frames_per_s"]["value"] == 6000
    assert document["figures"]["model_ms"]["basis"] == "published"
    assert set(document["figures"]["workers"]) == {"name", "value", "unit", "how", "basis", "source"}


def test_what_was_measured_is_taken_and_called_so(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    file.write_text(measured().model_dump_json())
    arguments = ("--cameras", "4", "--fps", "15", "--resolution", "vga", "--measured", str(file), "--json")
    document = json.loads(size(*arguments, "--encoding", "jpeg").stdout)
    figures = document["figures"]
    frame = figures["frame_bytes"]
    assert (frame["value"], frame["basis"], frame["source"]) == (45_000, "measured", "andon bench")
    assert json.loads(size(*arguments).stdout)["figures"]["frame_bytes"]["value"] == 6_000
    # 3 ms of the model and half of 2 ms of decoding and Kafka: 175 frames/s, 11 cameras a worker
    assert figures["workers"]["value"] == 1
    assert figures["workers"]["basis"] == "measured"
    assert document["asked"]["worker_cores"] == 2


@pytest.mark.parametrize("content", ["", "{}", "[1, 2]", "not json", '{"version": "andon.bench.v9"}'])
def test_a_file_that_bench_did_not_write_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    file = tmp_path / "bench.json"
    file.write_text(content)
    done = size("--cameras", "4", "--measured", str(file))
    assert done.exit_code == 2
    assert done.stderr.startswith(f"andon: --measured {file}: not written by `andon bench`: ")
    assert done.stderr.count("\n") == 1


def test_a_file_that_is_not_there_is_refused_with_the_command_that_writes_it(tmp_path: Path) -> None:
    done = size("--cameras", "4", "--measured", str(tmp_path / "bench.json"))
    assert done.exit_code == 2
    assert "No such file or directory; `andon bench --out" in done.stderr


def test_an_unknown_gpu_is_one_line() -> None:
    done = size("--cameras", "4", "--model", "yolo26n", "--gpu", "rtx5090")
    assert done.exit_code == 2
    assert done.stderr == (
        "andon: --gpu: rtx5090: nobody has published it; known: a2, t4, l4, a10, l40s, a100, h100, h200, cpu,"
        " or --measured with the same model and GPU\n"
    )
