"""The parts of the alert client that need no server: what is an event, what is wanted, how long to wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon import redis as andon_redis
from andon.alert_stream import defect_in, part_in
from andon.alerts import DefectAlerts, PartVerdicts, Wanted, WantedParts
from andon.backoff import Backoff
from andon.errors import ConfigError, DecodeError
from andon.messages import Defect, PartVerdict
from tests.outbox import a_defect, a_part
from tests.strategies import defects, part_verdicts


@given(defects)
def test_every_event_is_read_back_as_it_was_written(defect: Defect) -> None:
    assert defect_in((b"1-0", {b"event": defect.model_dump_json().encode()})) == defect


@given(part_verdicts)
def test_every_verdict_is_read_back_as_it_was_written(part: PartVerdict) -> None:
    assert part_in((b"1-0", {b"event": part.model_dump_json().encode()})) == part


@given(st.dictionaries(st.sampled_from([b"event", b"type", b"x"]), st.binary(max_size=60)))
def test_whatever_else_stands_in_an_entry_is_told_as_such(fields: dict[bytes, bytes]) -> None:
    for read in (defect_in, part_in):
        with pytest.raises(DecodeError, match="1-0") as error:
            read((b"1-0", fields))
        assert "\n" not in str(error.value)


def test_an_event_of_a_later_kind_is_not_guessed_at() -> None:
    event = a_defect().model_dump_json().encode()
    with pytest.raises(DecodeError, match=r"andon\.defect\.v2"):
        defect_in((b"1-0", {b"type": b"andon.defect.v2", b"event": event}))


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        (Wanted(), True),
        (Wanted(min_severity="major"), True),
        (Wanted(min_severity="critical"), False),
        (Wanted(cameras={"press-3"}), True),
        (Wanted(cameras={"press-4"}), False),
        (Wanted(cameras=()), False),
        (Wanted(labels={"dent"}), False),
        (Wanted(transitions={"closed"}), False),
        (Wanted(labels={"scratch"}, transitions={"opened"}), True),
    ],
)
def test_an_event_is_wanted_if_everything_asked_for_holds(wanted: Wanted, answer: bool) -> None:
    assert wanted(a_defect()) is answer


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        (WantedParts(), True),
        (WantedParts(verdicts={"reject"}), True),
        (WantedParts(verdicts={"pass", "unknown"}), False),
        (WantedParts(cameras={"press-4"}), False),
        (WantedParts(cameras={"press-3"}, verdicts=()), False),
    ],
)
def test_a_part_is_wanted_if_everything_asked_for_holds(wanted: WantedParts, answer: bool) -> None:
    assert wanted(a_part(1, "reject")) is answer


@pytest.mark.parametrize("url", ["http://me:hunter2@host", "redis://me:hunter2@host:hunter2", "hunter2", ""])
def test_a_url_that_is_none_is_told_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigError, match="not a Redis URL") as error:
        DefectAlerts(url, group="plc")
    assert "hunter2" not in str(error.value)
    with pytest.raises(ConfigError, match="not a Redis URL"):
        PartVerdicts(url, group="plc")


def test_where_a_client_connects_to_is_told_without_its_password() -> None:
    client = andon_redis.client("redis://me:hunter2@line-1:6390/0", 1.0)
    assert andon_redis.address(client) == "line-1:6390"


def test_the_back_off_grows_to_its_ceiling_and_is_spread() -> None:
    assert [Backoff(1.0, 8.0, draw=lambda: 1.0).delay_s(n) for n in (1, 2, 3, 4, 5, 5000)] == [1, 2, 4, 8, 8, 8]
    assert Backoff(1.0, 8.0, draw=lambda: 0.0).delay_s(4) == 4.0
