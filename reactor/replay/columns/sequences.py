"""Sequences: for each profile the events that made it what it is, in order, in one long array.

A merge joins two profiles as if they had been one from the first event. So each node has a sequence of
its own: the events of the nodes merged into it, sorted by time, then those that found it. Only the
latter are answered there; the others are its history, and are answered where they arrived.

    place       0  1  2  3  4 | 5  6 | ...
    event       3  8  4  9 11 | 4  9 |          what was merged: 3, 8, 4, 9; then 11
    is own      -  -  -  - own|own own
    sequence    0  0  0  0  0 | 1  1 |

At equal times the entries of an older profile are the later ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from reactor.replay.columns.column import Mask, Rows
from reactor.replay.columns.joining import Node
from reactor.replay.columns.ordering import stable_order

LEFT_OUT: Final = -2  # stands for the node of an event of nobody that is not laid out


class Layout(msgspec.Struct, frozen=True, eq=False):
    """All sequences, one behind the other.

    event: the history's event at each place; time: its ms; sequence: whose place it is.
    start: the first place of each sequence; node: its node, -1 for an event of nobody.
    place_of: where each event of the history is answered; -1 for one that is left out.
    """

    event: NDArray[np.int64]
    time: NDArray[np.int64]
    sequence: NDArray[np.int64]
    start: NDArray[np.int64]
    node: NDArray[np.int64]
    place_of: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.event)

    def starts(self, places: Rows) -> Rows:
        """Return the first place of the sequence of each of some places."""
        found: Rows = self.start[at_places(self.sequence, places)]
        return found


def at_places(values: NDArray[Any], places: Rows) -> NDArray[Any]:
    """Return what stands at some places, which ascend: all of it, uncopied, where they are all there are."""
    return values if len(places) == len(values) else values[places]


def standing_before(places: Rows, count: int) -> Rows:
    """Return how many of some distinct places stand before each of the places 0 to `count`.

    >>> standing_before(np.array([1, 2]), 4).tolist()
    [0, 0, 1, 2, 2]
    """
    before = np.zeros(count + 1, dtype=np.int64)
    before[places + 1] = 1
    return np.cumsum(before, out=before)


def lay_out(
    nodes: Sequence[Node], node_of: NDArray[np.int64], times: NDArray[np.int64], kept: Mask, answered: Mask
) -> Layout:
    """Lay out the events of nodes, and each event of nobody as a sequence of its own.

    kept: the nodes of profiles that are laid out at all; answered: those that have a sequence.
    """
    shifted = node_of - LEFT_OUT
    order = stable_order(shifted, len(nodes) - LEFT_OUT)
    ends = np.cumsum(np.bincount(shifted, minlength=len(nodes) - LEFT_OUT))
    bounds = ends[1:]
    nobody = order[ends[0] : bounds[0]]
    has_children = np.array([bool(node.children) for node in nodes], dtype=np.bool_)
    histories: dict[int, NDArray[np.int64]] = {}
    for number in np.flatnonzero(has_children & kept).tolist():
        below = [_whole(child, histories, order, bounds) for child in _by_age(nodes[number].children)]
        events = np.concatenate(below)
        histories[number] = events[np.argsort(times[events], kind="stable")]
    own = bounds[1:] - bounds[:-1]
    own[~answered] = 0
    before = np.zeros(len(nodes), dtype=np.int64)
    histories = {number: events for number, events in histories.items() if answered[number]}
    for number, events in histories.items():
        before[number] = len(events)
    lengths = own + before
    start = np.concatenate([[0], np.cumsum(lengths)])
    total = int(start[-1]) + len(nobody)
    event = np.empty(total, dtype=np.int64)
    for number, events in histories.items():
        event[start[number] : start[number] + len(events)] = events
    kept_own = order[bounds[0] :][np.repeat(answered, bounds[1:] - bounds[:-1])]
    shift = np.repeat(start[:-1] + before - (np.cumsum(own) - own), own)
    own_places = np.arange(len(kept_own)) + shift
    event[own_places] = kept_own
    event[start[-1] :] = nobody
    place_of = np.full(len(times), -1, dtype=np.int64)
    place_of[kept_own] = own_places
    place_of[nobody] = np.arange(int(start[-1]), total)
    used = np.flatnonzero(lengths)
    sizes = np.concatenate([lengths[used], np.ones(len(nobody), dtype=np.int64)])
    starts = np.cumsum(sizes) - sizes
    return Layout(
        event,
        times[event],
        np.repeat(np.arange(len(sizes)), sizes),
        starts,
        np.concatenate([used, np.full(len(nobody), -1)]),
        place_of,
    )


def _by_age(children: Sequence[int]) -> list[int]:
    """Return the nodes of a merge, by rid, youngest first: at equal times the oldest profile's come last."""
    return list(reversed(children))


def _whole(
    node: int, histories: dict[int, NDArray[np.int64]], order: NDArray[np.int64], bounds: NDArray[np.int64]
) -> NDArray[np.int64]:
    own = order[bounds[node] : bounds[node + 1]]
    history = histories.get(node)
    return own if history is None else np.concatenate([history, own])
