"""Rolling upgrades: today's messages beside those of the neighbour versions."""

import json

import pytest
from pydantic import ValidationError

from andon import wire
from andon.errors import DecodeError
from andon.wire import JSON, decode, encode
from tests.versions import MESSAGES, NAMES, PREVIOUS, ahead, previous, unknown


def test_every_type_of_message_is_compared_with_the_other_versions() -> None:
    assert PREVIOUS.keys() == MESSAGES.keys()
    assert {wire.type_name(message) for message in MESSAGES.values()} == set(wire.TYPES)


@pytest.mark.parametrize("name", NAMES)
def test_todays_reader_understands_the_previous_versions_record(name: str) -> None:
    assert decode(previous(name)) == MESSAGES[name]


@pytest.mark.parametrize("name", NAMES)
def test_todays_writer_sends_nothing_that_the_previous_version_does_not_know(name: str) -> None:
    out, row = encode(MESSAGES[name]), PREVIOUS[name]
    headers = {key: value.decode() for key, value in out.headers}
    value = json.loads(out.value) if headers["content-type"] == JSON else out.value.decode()
    sent = (out.key.decode(), out.timestamp_ms, headers, value)
    assert sent == (row["key"], row["timestamp_ms"], row["headers"], row["value"])


@pytest.mark.parametrize("name", NAMES)
def test_todays_reader_ignores_fields_and_headers_of_one_version_ahead(name: str) -> None:
    assert decode(ahead(name)) == MESSAGES[name]


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_version_of_a_type_is_a_decode_error_that_names_it(name: str) -> None:
    kind = PREVIOUS[name]["headers"]["ce_type"].replace(".v1", ".v2")
    with pytest.raises(DecodeError, match=kind) as error:
        decode(unknown(name))
    assert error.value.reason == "bad_header"


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("frame")])
def test_a_writer_can_not_send_a_field_that_its_own_version_lacks(name: str) -> None:
    with pytest.raises(ValidationError):
        type(MESSAGES[name]).model_validate_json(json.dumps(PREVIOUS[name]["value"] | {"new_number": 1}))
