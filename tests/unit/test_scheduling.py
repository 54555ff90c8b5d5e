"""Which tests share a process."""

from pathlib import Path

from tests.scheduling import APART, LONGEST, WHOLE_LINES, group, rank

ROOT = Path(__file__).parents[2]


def test_whole_lines_run_one_after_another() -> None:
    assert len({group(f"{place}test_one.py::test_it") for place in WHOLE_LINES}) == 1


def test_the_tests_of_a_file_share_one_process_and_those_of_two_files_need_not() -> None:
    assert group("tests/unit/test_one.py::test_a") == group("tests/unit/test_one.py::test_b[1]")
    assert group("tests/unit/test_one.py::test_a") != group("tests/unit/test_two.py::test_a")


def test_tests_without_shared_fixtures_run_apart() -> None:
    assert group("tests/simulation/test_one.py::test_a[1]") != group("tests/simulation/test_one.py::test_a[2]")


def test_whole_lines_start_first_and_unit_tests_last() -> None:
    ranks = [rank(f"{place}test_one.py::test_it") for place in ("tests/e2e/", "tests/simulation/", "tests/unit/")]
    assert ranks == sorted(ranks)
    assert ranks[-1] == len(LONGEST)


def test_every_place_in_the_schedule_exists() -> None:
    assert [place for place in (*LONGEST, *APART) if not (ROOT / place).exists()] == []
