"""The parts of the alert client that need no server: reading an entry, filters, back-off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon import redis as andon_redis
from andon.alerts import DEFECTS, PARTS, DefectAlerts, DefectFilter, PartFilter, PartVerdicts
from andon.backoff import Backoff
from andon.errors import ConfigError, DecodeError
from andon.messages import Defect, PartVerdict
from tests.outbox import a_defect, a_part
from tests.strategies import defects, part_verdicts


@given(defects)
def test_every_event_is_read_back_as_it_was_written(defect: Defect) -> None:
    assert DEFECTS.read((b"1-0", {b"event": defect.model_dump_json().encode()})) == defect


@given(part_verdicts)
def test_every_verdict_is_read_back_as_it_was_written(part: PartVerdict) -> None:
    assert PARTS.read((b"1-0", {b"event": part.model_dump_json().encode()})) == part


@given(st.dictionaries(st.sampled_from([b"event", b"type", b"x"]), st.binary(max_size=60)))
def test_an_entry_that_is_no_event_is_a_decode_error_that_names_it(fields: dict[bytes, bytes]) -> None:
    for read in (DEFECTS.read, PARTS.read):
        with pytest.raises(DecodeError, match="1-0") as error:
            read((b"1-0", fields))
        assert "\n" not in str(error.value)


def test_an_event_of_a_later_version_is_a_decode_error() -> None:
    event = a_defect().model_dump_json().encode()
    with pytest.raises(DecodeError, match=r"andon\.defect\.v2"):
        DEFECTS.read((b"1-0", {b"type": b"andon.defect.v2", b"event": event}))


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        (DefectFilter(), True),
        (DefectFilter(min_severity="major"), True),
        (DefectFilter(min_severity="critical"), False),
        (DefectFilter(cameras={"press-3"}), True),
        (DefectFilter(cameras={"press-4"}), False),
        (DefectFilter(cameras=()), False),
        (DefectFilter(labels={"dent"}), False),
        (DefectFilter(transitions={"closed"}), False),
        (DefectFilter(labels={"scratch"}, transitions={"opened"}), True),
    ],
)
def test_a_defect_passes_a_filter_if_it_meets_every_condition(wanted: DefectFilter, answer: bool) -> None:
    assert wanted(a_defect()) is answer


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        (PartFilter(), True),
        (PartFilter(verdicts={"reject"}), True),
        (PartFilter(verdicts={"pass", "unknown"}), False),
        (PartFilter(cameras={"press-4"}), False),
        (PartFilter(cameras={"press-3"}, verdicts=()), False),
    ],
)
def test_a_part_passes_a_filter_if_it_meets_every_condition(wanted: PartFilter, answer: bool) -> None:
    assert wanted(a_part(1, "reject")) is answer


@pytest.mark.parametrize("url", ["http://me:hunter2@host", "redis://me:hunter2@host:hunter2", "hunter2", ""])
def test_a_wrong_url_is_an_error_that_does_not_repeat_it(url: str) -> None:
    with pytest.raises(ConfigError, match="not a Redis URL") as error:
        DefectAlerts(url, group="plc")
    assert "hunter2" not in str(error.value)
    with pytest.raises(ConfigError, match="not a Redis URL"):
        PartVerdicts(url, group="plc")


def test_the_address_of_a_client_holds_no_password() -> None:
    client = andon_redis.client("redis://me:hunter2@line-1:6390/0", 1.0)
    assert andon_redis.address(client) == "line-1:6390"


def test_the_back_off_grows_to_its_ceiling_and_is_spread() -> None:
    assert [Backoff(1.0, 8.0, draw=lambda: 1.0).delay_s(n) for n in (1, 2, 3, 4, 5, 5000)] == [1, 2, 4, 8, 8, 8]
    assert Backoff(1.0, 8.0, draw=lambda: 0.0).delay_s(4) == 4.0
