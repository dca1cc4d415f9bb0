"""Components of identifier tuples: as scipy finds them, on random graphs and on the worst ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from reactor.replay.components import code_of, components, pack

Table = np.ndarray[Any, np.dtype[np.int64]]


def by_scipy(tuples: Table) -> list[int]:
    """Return the component of each tuple, numbered by their first; tuples and codes are the nodes."""
    rows, columns = np.nonzero(tuples)
    codes = tuples[rows, columns] + len(tuples)
    size = int(codes.max(initial=len(tuples))) + 1
    links = coo_array((np.ones(len(rows)), (rows, codes)), shape=(size, size))
    labels = connected_components(links, directed=False)[1][: len(tuples)].tolist()
    first: dict[int, int] = {}
    return [first.setdefault(label, len(first)) for label in labels]


TUPLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(st.integers(0, 12), min_size=width, max_size=width), min_size=1)
)


@given(TUPLES)
@settings(max_examples=300)
def test_components_are_scipys(rows: list[list[int]]) -> None:
    """Would catch a missed link, a link too many, a number out of order."""
    tuples = np.array(rows, dtype=np.int64)
    assert components(tuples).tolist() == by_scipy(tuples)


def chain(count: int) -> Table:
    """Return links that hang together in one long chain."""
    return np.stack([np.arange(1, count), np.arange(2, count + 1)], axis=1)


def shuffled(count: int) -> Table:
    """Return a chain whose links and whose codes are in no order."""
    random = np.random.default_rng(7)
    codes = random.permutation(count) + 1
    return random.permutation(np.stack([codes[:-1], codes[1:]], axis=1))


def zigzag(count: int) -> Table:
    """Return a chain that goes from the least to the greatest code and back, inwards."""
    codes = np.arange(1, count // 2)
    there, back = (codes, count - codes), (count - codes, codes + 1)
    return np.concatenate([np.stack(there, axis=1), np.stack(back, axis=1)])


def kiosk(count: int) -> Table:
    """Return identifiers that share one, the greatest: a browser in a shop."""
    return np.stack([np.arange(1, count), np.full(count - 1, count)], axis=1)


@pytest.mark.parametrize("graph", [chain, lambda count: chain(count)[::-1], shuffled, zigzag, kiosk])
def test_the_worst_graphs_are_one_component(graph: Callable[[int], Table]) -> None:
    """Two hundred thousand identifiers in one; a search that goes link by link would not return."""
    assert not components(graph(200_000)).any()


def test_no_tuples() -> None:
    """Nothing is in no component."""
    assert components(np.zeros((0, 2), dtype=np.int64)).tolist() == []


@given(st.lists(st.integers(0, 12)), st.integers(1, 8))
def test_buckets_hold_what_they_may(rows: list[int], most: int) -> None:
    """At most so many rows each, but for a component that is larger, which is alone in its bucket."""
    buckets, large = pack(np.array(rows, dtype=np.int64), most)
    assert large.tolist() == [place for place, count in enumerate(rows) if count > most]
    for bucket in set(buckets.tolist()):
        held = [count for count, own in zip(rows, buckets, strict=True) if own == bucket]
        assert sum(held) <= most or len(held) == 1
    assert set(buckets.tolist()) == set(range(max(buckets, default=-1) + 1))


def test_codes_tell_keys_apart() -> None:
    """The same value of another key is another identifier."""
    assert code_of(0, "a") != code_of(1, "a")
    assert code_of(0, "a") != code_of(0, "b")
