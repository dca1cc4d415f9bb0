"""Which identifiers belong together: the parts that a history falls into, whatever replays them.

An identifier is known here by its code, a number of 64 bits. Two with one code would be taken for
one, and join two parts that could have stood apart: that costs room and changes no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, TypeAlias

import numpy as np

Codes: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"


def components(tuples: Codes) -> Codes:
    """Return the component of each tuple of identifiers that were seen together.

    tuples: a row a tuple, of codes; 0 where there is none. Tuples that share a code, directly or by
        way of others, have one component. A tuple of none has a component of its own.
    Components are numbered by their first tuple, from 0.
    Cost: O(codes) a round of numpy, and few rounds: about 3 us a pair.

    >>> components(np.array([[1, 2], [3, 0], [4, 2], [0, 0], [3, 5]])).tolist()
    [0, 1, 0, 2, 1]
    """
    holds = tuples != 0
    found = np.full(len(tuples), -1, dtype=np.int64)
    some = np.flatnonzero(holds.any(axis=1))
    codes = np.zeros(tuples.shape, dtype=np.int64)
    known, codes[holds] = np.unique(tuples[holds], return_inverse=True)
    first = codes[some, holds[some].argmax(axis=1)]
    links = [(first, codes[some, column], holds[some, column]) for column in range(tuples.shape[1])]
    left = np.concatenate([one[there] for one, _, there in links] or [found[:0]])
    right = np.concatenate([other[there] for _, other, there in links] or [found[:0]])
    found[some] = _roots(len(known), left[left != right], right[left != right])[first]
    found[found < 0] = len(known) + np.flatnonzero(found < 0)
    _, rows, numbers = np.unique(found, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(rows))[numbers]


def pack(rows: Codes, most: int) -> tuple[Codes, Codes]:
    """Return the bucket of each component, and the components that are larger than a bucket.

    rows: how many each component has. most: the most rows of a bucket. Neighbours share a bucket
    while they fit; a component that is larger than one has a bucket to itself.

    >>> buckets, large = pack(np.array([2, 2, 9, 1, 3]), 4)
    >>> buckets.tolist(), large.tolist()
    ([1, 1, 0, 2, 2], [2])
    """
    large = np.flatnonzero(rows > most)
    buckets = np.empty(len(rows), dtype=np.int64)
    buckets[large] = np.arange(len(large))
    bucket, held = len(large), 0
    for place in np.flatnonzero(rows <= most).tolist():
        count = int(rows[place])
        if held and held + count > most:
            bucket, held = bucket + 1, 0
        buckets[place] = bucket
        held += count
    return buckets, large


def _roots(nodes: int, left: Codes, right: Codes) -> Codes:
    """Return the least node that each node is linked to, directly or by way of others.

    A round hangs every root on a lesser root that it is linked to, and shortens all ways to the
    root to one step; the links that are left are those between two roots.
    """
    parent = np.arange(nodes, dtype=np.int64)
    while len(left):
        low, high = np.minimum(left, right), np.maximum(left, right)
        np.minimum.at(parent, high, low)
        while True:
            shorter = parent[parent]
            if np.array_equal(shorter, parent):
                break
            parent = shorter
        left, right = parent[left], parent[right]
        apart = left != right
        left, right = left[apart], right[apart]
    return parent


def code_of(key: int, value: str) -> int:
    """Return the code of an identifier, given by its key's index: the same in every process, never 0.

    >>> code_of(0, "a"), code_of(1, "a")
    (8211141774996669989, -5835807522504768662)
    """
    digest = blake2b(value.encode(), digest_size=8, key=key.to_bytes(2, "little")).digest()
    return int.from_bytes(digest, "little", signed=True) or 1


def tuples_of(rows: Sequence[Sequence[int]], width: int) -> Codes:
    """Return tuples of codes as `components` takes them, filled up with 0 to a width."""
    table = np.zeros((len(rows), width), dtype=np.int64)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return table
