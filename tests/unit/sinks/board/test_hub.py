"""News go to all viewers in order; who reconnects misses none; who does not read is cut off."""

import json

import pytest

from sinks.board.hub import KEPT, WAITING, CutOffError, Hub, Subscription


async def taken(viewer: Subscription, count: int) -> list[tuple[str, object]]:
    messages = [(await viewer.next()).encoded.decode() for _ in range(count)]
    return [(text.split("event: ")[1].split("\n")[0], json.loads(text.split("data: ")[1])) for text in messages]


def hub(viewers: int = 4) -> Hub:
    return Hub("run-1", viewers)


async def test_everybody_gets_what_is_published_in_order() -> None:
    board = hub()
    with board.subscribed((), None) as one, board.subscribed((), None) as other:
        board.publish("alarms", {"n": 1})
        board.publish("beat", {}, keep=False)
        for viewer in (one, other):
            assert await taken(viewer, 3) == [("hello", {}), ("alarms", {"n": 1}), ("beat", {})]


async def test_a_viewer_that_reconnects_gets_what_it_missed_and_no_beats() -> None:
    board = hub()
    for number in range(5):
        board.publish("alarms", {"n": number})
        board.publish("beat", {}, keep=False)
    with board.subscribed((), "run-1.3") as viewer:
        assert await taken(viewer, 2) == [("alarms", {"n": 3}), ("alarms", {"n": 4})]
        assert not viewer.waiting


@pytest.mark.parametrize("last", ["run-0.3", "run-1.99", "nonsense", "run-1.-1", "run-1.²"])
async def test_a_viewer_whose_last_id_is_not_known_loads_everything_anew(last: str) -> None:
    board = hub()
    board.publish("alarms", {"n": 1})
    with board.subscribed((), last) as viewer:
        assert await taken(viewer, 1) == [("reset", {})]


async def test_a_viewer_that_missed_more_than_is_kept_loads_everything_anew() -> None:
    board = hub()
    for number in range(KEPT + 5):
        board.publish("alarms", {"n": number})
    with board.subscribed((), "run-1.2") as viewer:
        assert await taken(viewer, 1) == [("reset", {})]


async def test_a_viewer_that_does_not_read_is_cut_off_and_costs_no_more() -> None:
    board = hub()
    with board.subscribed((), None) as viewer:
        for number in range(WAITING + 10):
            board.publish("alarms", {"n": number})
        assert len(viewer.waiting) == WAITING
        with pytest.raises(CutOffError):
            await viewer.next()
    assert board.viewers == 0


async def test_topics_with_a_colon_go_to_those_who_ask_for_them() -> None:
    board = hub()
    with board.subscribed(["frame:press-3"], None) as one, board.subscribed((), None) as other:
        assert board.watched("frame:press-3")
        assert not board.watched("frame:press-4")
        board.publish("frame:press-3", {"seq": 7})
        assert await taken(one, 2) == [("hello", {}), ("frame:press-3", {"seq": 7})]
        assert await taken(other, 1) == [("hello", {})]


async def test_one_viewer_more_than_allowed_is_turned_away() -> None:
    board = hub(viewers=1)
    with board.subscribed((), None):
        assert board.full
        with pytest.raises(CutOffError), board.subscribed((), None):
            pass
    assert not board.full
