"""How a member of the ingesters' group claims what it had, and what the group's leader makes of the claims."""

import json
from collections.abc import Mapping
from typing import Any

from andon.stream.sharing import Assignor


class Cluster:
    """What the client knows of the topic."""

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(range(8))


def decided(members: Mapping[str, Assignor], loads: Mapping[int, int]) -> dict[str, set[int]]:
    """One round of the group: each member joins, the leader decides, each learns its share."""
    leader = Assignor(lambda: loads)
    claims = {name: member.metadata(["cameras"]) for name, member in members.items()}
    shares: dict[str, Any] = leader.assign(Cluster(), claims)
    for name, member in members.items():
        member.on_assignment(shares[name])
    return {name: {item.partition for item in share.partitions()} for name, share in shares.items()}


def member() -> Assignor:
    return Assignor(dict)


def test_a_member_that_joins_again_claims_what_it_was_given() -> None:
    members = {"a": member(), "b": member()}
    loads = dict.fromkeys(range(8), 1)
    first = decided(members, loads)
    assert decided(members, loads) == first
    claim = json.loads(members["a"].metadata(["cameras"]).user_data)
    assert claim == {"generation": 1, "partitions": sorted(first["a"])}


def test_a_process_that_has_begun_anew_claims_nothing_and_gets_what_is_free() -> None:
    members = {"a": member(), "b": member()}
    loads = dict.fromkeys(range(8), 1)
    first = decided(members, loads)
    members["a"] = member()
    assert decided(members, loads) == first


def test_a_member_that_missed_a_decision_gets_nothing_back_that_another_one_has_since() -> None:
    frozen, other = member(), member()
    loads = dict.fromkeys(range(8), 1)
    decided({"frozen": frozen, "other": other}, loads)
    decided({"other": other, "third": member()}, loads)
    had = set(json.loads(other.metadata(["cameras"]).user_data)["partitions"])
    again = decided({"frozen": frozen, "other": other}, loads)
    assert again["other"] <= had
    assert again["frozen"] | again["other"] == set(range(8))


def test_a_member_that_was_put_out_claims_nothing() -> None:
    frozen = member()
    decided({"frozen": frozen}, {})
    frozen.forget()
    claim = json.loads(frozen.metadata(["cameras"]).user_data)
    assert claim == {"generation": -1, "partitions": []}
