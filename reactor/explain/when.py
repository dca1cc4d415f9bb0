"""When an answer changes by itself: the next instant, exact to the millisecond, or never.

Between the instants at which something that a leaf reads changes by itself, the leaf comes to the
same. Such instants are few: a pane leaves a window, a value expires, a batch row becomes valid
(`edges`), a comparison with `now` turns (`turning`). They are tried in order; after the last of them
nothing changes any more until the last time there is, so that "never" is proven too.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from reactor.explain.edges import Edges
from reactor.explain.reading import Sight
from reactor.explain.shapes import Turn
from reactor.explain.tree import Leaf, Part, Truth3, truth_of
from reactor.explain.turning import Untold, next_turn
from reactor.units import MAX_TIME_MS

MOST_STEPS: Final = 20_000  # of one leaf

NEVER: Final = Turn("never")


def next_change(
    part: Part,
    leaves: Sequence[Leaf],
    truths: Sequence[Truth3],
    sight: Sight,
    now_ms: int,
    edges: Edges,
    horizon: int | None = None,
) -> Turn:
    """Return when a tree ceases to be true, or becomes true.

    leaves: of the tree. truths: of the section's leaves at `now_ms`. edges: gives the instants at which
    what a leaf reads changes by itself. horizon: changes from then on don't count.
    """
    present = truth_of(part, truths) is True
    current = list(truths)
    try:
        streams = [_changes(leaf, truths[leaf.number], sight, now_ms, edges) for leaf in leaves]
        for at, leaf, truth in heapq.merge(*streams, key=lambda change: change[0]):
            if horizon is not None and at >= horizon:
                return NEVER
            current[leaf] = truth
            if (truth_of(part, current) is True) != present:
                # Another leaf may change at the same instant.
                settled = _settled(leaves, sight, at, current)
                if (truth_of(part, settled) is True) != present:
                    return Turn.of(at)
    except Untold:
        return Turn("untold")
    return NEVER


def _settled(leaves: Sequence[Leaf], sight: Sight, at: int, truths: Sequence[Truth3]) -> list[Truth3]:
    settled = list(truths)
    read = sight.at(at)
    for leaf in leaves:
        settled[leaf.number] = leaf.run(read)
    return settled


def _changes(
    leaf: Leaf, truth: Truth3, sight: Sight, now_ms: int, edges: Edges
) -> Iterator[tuple[int, int, Truth3]]:
    """Yield (instant, leaf, truth) of each change of a leaf, in order."""
    instants = edges.of_leaf(leaf, now_ms)
    if leaf.tells_time:
        yield from _stepping(leaf, truth, sight, now_ms, instants)
        return
    if not instants:
        return
    if edges.falls(leaf, now_ms):
        yield from _bisected(leaf, truth, sight, instants)
        return
    if len(instants) > MOST_STEPS:
        raise Untold
    for at in instants:
        found = leaf.run(lambda ref, at=at: sight.value(ref, at))  # type: ignore[misc]
        if found is not truth:
            truth = found
            yield at, leaf.number, found


def _bisected(
    leaf: Leaf, truth: Truth3, sight: Sight, instants: Sequence[int]
) -> Iterator[tuple[int, int, Truth3]]:
    """As `_changes`, for a leaf whose truth changes at most once."""

    def at(place: int) -> Truth3:
        found: Truth3 = leaf.run(lambda ref: sight.value(ref, instants[place]))
        return found

    if at(-1) is truth:
        return
    low, high = 0, len(instants) - 1
    while low < high:
        middle = (low + high) // 2
        if at(middle) is truth:
            low = middle + 1
        else:
            high = middle
    yield instants[low], leaf.number, at(low)


def _stepping(
    leaf: Leaf, truth: Truth3, sight: Sight, now_ms: int, instants: Iterable[int]
) -> Iterator[tuple[int, int, Truth3]]:
    """As `_changes`, for a leaf that reads `now`: between its instants `now` goes on."""
    waiting = iter(instants)
    edge = next(waiting, None)
    at = now_ms
    for _ in range(MOST_STEPS):
        turn = next_turn(leaf, sight, at)
        while edge is not None and edge <= at:
            edge = next(waiting, None)
        following = [each for each in (turn, edge) if each is not None and each <= MAX_TIME_MS]
        if not following:
            return
        at = min(following)
        found = leaf.run(sight.at(at))
        if found is not truth:
            truth = found
            yield at, leaf.number, found
    raise Untold
