"""Which heartbeats are sent."""

from ingest.heartbeat import RARE, Heartbeats


def sent(told: list[bool]) -> list[bool]:
    beats, result = Heartbeats(), []
    for each in told:
        result.append(beats.due(told=each))
        if result[-1]:
            beats.sent()
    return result


def test_while_frames_tell_the_same_one_in_five_is_sent() -> None:
    assert sent([True] * 10) == [False, False, False, False, True] * 2


def test_without_frames_each_is_sent() -> None:
    assert sent([False] * 10) == [True] * 10


def test_the_first_without_frames_is_sent_at_once() -> None:
    assert sent([True, True, False, True]) == [False, False, True, False]


def test_a_change_of_state_stands_for_a_heartbeat() -> None:
    beats = Heartbeats()
    assert not any(beats.due(told=True) for _ in range(RARE - 1))
    beats.sent()
    assert not beats.due(told=True)
