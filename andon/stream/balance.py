"""Shares partitions out among the members of a group so that what runs stays where it is. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """What a member had when it joined."""

    generation: int
    """Of the group, when it got them. A member that was frozen claims what has long been another's."""
    partitions: frozenset[int]


def shared_out(
    partitions: Iterable[int], claims: Mapping[str, Claim], loads: Mapping[int, int]
) -> dict[str, frozenset[int]]:
    """Each partition for one of the members, whose claims these are.

    `loads`: the work in each partition. A partition with work moves only where that evens out the members' work; those
    without work, as far as it evens out their number.
    """
    all_of = sorted(partitions)
    owned: dict[str, set[int]] = {member: set() for member in sorted(claims)}
    for partition, member in _owners(claims).items():
        if partition in all_of:
            owned[member].add(partition)
    taken = set().union(*owned.values()) if owned else set()
    work = {partition: loads.get(partition, 0) for partition in all_of}
    for partition in sorted(set(all_of) - taken, key=lambda item: (-work[item], item)):
        owned[min(owned, key=lambda member: (_sum(owned[member], work), len(owned[member]), member))].add(partition)
    alike = dict.fromkeys(all_of, 1)
    while _moved(owned, work, [item for item in all_of if work[item]]):
        pass
    while _moved(owned, alike, [item for item in all_of if not work[item]]):
        pass
    return {member: frozenset(of) for member, of in owned.items()}


def _owners(claims: Mapping[str, Claim]) -> dict[int, str]:
    """Of two members that claim a partition, the one that got it later."""
    owners: dict[int, str] = {}
    for member, claim in sorted(claims.items(), key=lambda item: (item[1].generation, item[0])):
        owners |= dict.fromkeys(claim.partitions, member)
    return owners


def _moved(owned: Mapping[str, set[int]], weights: Mapping[int, int], movable: Iterable[int]) -> bool:
    """Move one partition from the member with the most to the one with the least, if that evens them out."""
    ranked = sorted(owned, key=lambda member: (_sum(owned[member], weights), member))
    least, most = owned[ranked[0]], owned[ranked[-1]]
    surplus = _sum(most, weights) - _sum(least, weights)
    fitting = [partition for partition in movable if partition in most and weights[partition] < surplus]
    if not fitting:
        return False
    best = min(fitting, key=lambda partition: (abs(surplus - 2 * weights[partition]), partition))
    most.remove(best)
    least.add(best)
    return True


def _sum(partitions: Iterable[int], weights: Mapping[int, int]) -> int:
    return sum(weights[partition] for partition in partitions)
