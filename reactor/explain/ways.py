"""The smallest sets of leaves that would have to change.

A way says of some leaves which truths will do; with all of them the criteria hold, whatever the
other leaves come to. Its changes are the leaves that are not so yet. Ways are made from the
leaves up, and those that no values can bring about are left out (`solve`); of the others those
remain that need no more changes than another way needs among its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Final, TypeAlias

from reactor.explain.tree import Leaf, Part, Truth3

# The truths that will do.
Will: TypeAlias = frozenset[Truth3]
Plan: TypeAlias = dict[int, Will]

TRUE: Final[Will] = frozenset({True})
FALSE: Final[Will] = frozenset({False})
UNKNOWN: Final[Will] = frozenset({None})
ANY: Final[Will] = frozenset({True, False, None})
NOT_FALSE: Final[Will] = TRUE | UNKNOWN
MOST_PLANS: Final = 64  # of one part of a tree; beyond that the ways with fewest changes are kept
MOST_WAYS: Final = 8  # that an explanation lists

Possible: TypeAlias = Callable[[Plan], "bool | None"]


def ways_to(
    parts: Sequence[Part], truths: Sequence[Truth3], possible: Possible
) -> tuple[list[tuple[Plan, bool]], bool]:
    """Return (plan, proven) of the smallest ways to make all of `parts` true, and whether there are more.

    truths: of the leaves now. possible: whether values can bring a plan about; None where it can't tell.
    In the order of size, then of the leaves' places.
    """
    search = _Search(truths)
    plans = search.joined([search.plans(part, TRUE) for part in parts])
    found: list[tuple[Plan, frozenset[int], bool]] = []
    for plan in sorted(plans, key=search.rank):
        changes = search.changes(plan)
        if any(fewer < changes or (fewer == changes and proven) for _, fewer, proven in found):
            continue
        verdict = possible(plan)
        if verdict is False:
            continue
        alike = [place for place, (_, fewer, _) in enumerate(found) if fewer == changes]
        if not alike:
            found.append((plan, changes, verdict is True))
        elif verdict is True:
            found[alike[0]] = (plan, changes, True)
    is_more = search.is_cut or len(found) > MOST_WAYS
    return [(plan, proven) for plan, _, proven in found[:MOST_WAYS]], is_more


class _Search:
    def __init__(self, truths: Sequence[Truth3]) -> None:
        self.truths = truths
        self.is_cut = False

    def changes(self, plan: Plan) -> frozenset[int]:
        return frozenset(leaf for leaf, will in plan.items() if self.truths[leaf] not in will)

    def rank(self, plan: Plan) -> tuple[int, list[int], list[tuple[int, int]]]:
        changes = sorted(self.changes(plan))
        return len(changes), changes, sorted((leaf, -len(will)) for leaf, will in plan.items())

    def plans(self, part: Part, will: Will) -> list[Plan]:
        """Return the plans with which a part comes to one of `will`."""
        if will == ANY:
            return [{}]
        if isinstance(part, Leaf):
            return [{part.number: will}]
        inner = part.branches
        match part.mark:
            case "and":
                return self._all(inner, will)
            case "or":
                return self._all(inner, _contrary(will), is_or=True)
            case "not":
                return self.plans(inner[0], _contrary(will))
            case "is null":
                hit = UNKNOWN
            case "is true":
                hit = TRUE
            case _:
                hit = FALSE
        # Never unknown itself.
        plans: list[Plan] = []
        if True in will:
            plans += self.plans(inner[0], hit)
        if False in will:
            plans += self.plans(inner[0], ANY - hit)
        return plans

    def _all(self, parts: Sequence[Part], will: Will, *, is_or: bool = False) -> list[Plan]:
        """Return the plans of an AND; or, of an OR, the plans of the AND of the contraries."""

        def of(part: Part, wanted: Will) -> list[Plan]:
            return self.plans(part, _contrary(wanted) if is_or else wanted)

        plans: list[Plan] = []
        if False in will:
            also = FALSE | UNKNOWN if None in will else FALSE
            for part in parts:
                plans += of(part, also)
        if True in will:
            wanted = NOT_FALSE if None in will else TRUE
            plans += self.joined([of(part, wanted) for part in parts])
        elif None in will and False not in will:
            for place in range(len(parts)):
                plans += self.joined(
                    [of(part, UNKNOWN if place == other else NOT_FALSE) for other, part in enumerate(parts)]
                )
        return self._cut(plans)

    def joined(self, choices: Iterable[list[Plan]]) -> list[Plan]:
        """Return the plans that are one of each choice."""
        plans: list[Plan] = [{}]
        for choice in choices:
            merged = (_together(one, other) for one, other in product(plans, choice))
            plans = self._cut([plan for plan in merged if plan is not None])
        return plans

    def _cut(self, plans: list[Plan]) -> list[Plan]:
        if len(plans) <= MOST_PLANS:
            return plans
        self.is_cut = True
        return sorted(plans, key=self.rank)[:MOST_PLANS]


def _contrary(will: Will) -> Will:
    return frozenset(None if truth is None else not truth for truth in will)


def _together(one: Plan, other: Plan) -> Plan | None:
    """Return a plan that is both; None where a leaf would have to be two things."""
    both = dict(one)
    for leaf, will in other.items():
        wanted = both.get(leaf, ANY) & will
        if not wanted:
            return None
        both[leaf] = wanted
    return both
