"""NAL units, and the numbers in them."""

import pytest

from andon.video.units import Bits, MalformedError, join, split

UNITS = [b"\x67\x01", b"\x68\x02\x03", b"\x65" + b"\xab" * 40]


@pytest.mark.parametrize("code", [b"\x00\x00\x01", b"\x00\x00\x00\x01", b"\x00" * 7 + b"\x01"])
def test_units_come_apart_at_start_codes_of_any_length(code: bytes) -> None:
    assert split(b"".join(code + unit for unit in UNITS)) == UNITS


def test_units_that_are_joined_come_apart_as_they_were() -> None:
    assert split(join(UNITS)) == UNITS
    assert split(join([*UNITS[:1], UNITS[1] + b"\x00\x00\x00"])) == UNITS[:2]


def test_several_units_behind_one_length_come_apart() -> None:
    assert split(join([b"\x00\x00\x00\x01".join(UNITS)])) == UNITS


@pytest.mark.parametrize("payload", [b"", b"\x00\x00", b"\x65\x01\x02", b"\x00\x00\x01", b"x\x00\x00\x01\x65"])
def test_what_holds_no_unit_is_malformed(payload: bytes) -> None:
    with pytest.raises(MalformedError):
        split(payload)


def test_numbers_are_read_as_the_standard_writes_them() -> None:
    text = "1 010 011 00100 00101" + "1 010 011 00100 00101"
    digits = text.replace(" ", "").ljust(40, "0")
    bits = Bits(b"\xff" + int(digits, 2).to_bytes(5), 1)
    assert [bits.unsigned() for _ in range(5)] == [0, 1, 2, 3, 4]
    assert [bits.signed() for _ in range(5)] == [0, 1, -1, 2, -2]
    with pytest.raises(MalformedError):
        bits.number(100)


def test_bytes_that_prevent_a_start_code_are_no_part_of_a_number() -> None:
    assert Bits(b"\x67\x00\x00\x03\x01\x00\x00\x03\x02", 1).number(48) == 0x000001000002


def test_a_number_beyond_its_bound_is_malformed() -> None:
    with pytest.raises(MalformedError, match="at most 3"):
        Bits(b"\x00\x28", 1).unsigned(3)
    with pytest.raises(MalformedError, match="longer than any can be"):
        Bits(b"\x67" + bytes(8), 1, None).unsigned()
