"""What can be trusted after damage."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.damage import Damage


def run(packets: list[tuple[bool, bool]], delay: int = 0) -> list[bool]:
    """(keyframe, refused) of each packet -> corrupt, for each picture that comes out of a decoder which holds `delay`
    pictures back and, once it has refused a packet, leaves everything out up to the next keyframe."""
    damage, out, lost = Damage(), list[bool](), False
    waiting: list[bool] = []
    for keyframe, refused in packets:
        damage.fed(keyframe=keyframe)
        lost = refused or (lost and not keyframe)
        if refused:
            damage.refused()
        elif not lost:
            waiting.append(keyframe)
        while len(waiting) > delay:
            out += delivery(damage, keyframe=waiting.pop(0))
        out += [True] * damage.missing()
    for keyframe in waiting:
        out += delivery(damage, keyframe=keyframe)
    return out + [True] * damage.missing()


def delivery(damage: Damage, *, keyframe: bool) -> list[bool]:
    corrupt = damage.delivered(keyframe=keyframe, corrupt=False)
    return [] if corrupt is None else [corrupt]


def test_a_whole_stream_is_trusted() -> None:
    assert run([(True, False), (False, False), (False, False)]) == [False] * 3


def test_what_the_decoder_leaves_out_is_counted_up_to_the_next_keyframe() -> None:
    packets = [(True, False), (False, True), (False, False), (False, False), (True, False), (False, False)]
    assert run(packets) == [False, True, True, True, False, False]


def test_packets_before_the_first_keyframe_are_no_pictures() -> None:
    assert run([(False, True), (False, True), (True, False), (False, False)]) == [False, False]


def test_a_picture_that_is_called_corrupt_spoils_those_that_lean_on_it() -> None:
    damage = Damage()
    corrupt = []
    for keyframe, spoiled in ((True, False), (False, True), (False, False), (True, False)):
        damage.fed(keyframe=keyframe)
        corrupt.append(damage.delivered(keyframe=keyframe, corrupt=spoiled))
    assert corrupt == [False, True, True, False]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60), st.integers(0, 3))
def test_as_many_pictures_come_out_as_packets_went_in(packets: list[tuple[bool, bool]], delay: int) -> None:
    packets = [(True, False)] * (delay + 1) + packets
    assert len(run(packets, delay)) == len(packets)
