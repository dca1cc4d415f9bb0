"""Orders and numbers without a comparison sort: for numbers that are distinct, or small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_DIGIT: Final = 16  # bits that are sorted at once: numpy sorts numbers of 16 bits by radix
_SPARSE: Final = 8  # times as many places as numbers, from which on a sort is the cheaper


def order_of(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the order that sorts distinct numbers, none of them below 0.

    >>> order_of(np.array([7, 2, 5])).tolist()
    [1, 2, 0]
    """
    below = int(numbers.max()) + 1 if len(numbers) else 0
    if below > _SPARSE * len(numbers):
        return np.argsort(numbers)
    found = np.full(below, -1, dtype=np.int64)
    found[numbers] = np.arange(len(numbers))
    return found if below == len(numbers) else found[found >= 0]


def stable_order(numbers: NDArray[np.int64], below: int) -> NDArray[np.int64]:
    """Return the order that sorts numbers from 0 to `below`; equal ones stay in their order.

    >>> stable_order(np.array([1, 0, 1, 0]), 2).tolist()
    [1, 3, 0, 2]
    """
    order = np.argsort(numbers.astype(np.uint16), kind="stable")  # the lowest 16 bits
    for shift in range(_DIGIT, int(below).bit_length(), _DIGIT):
        digits = (numbers[order] >> shift).astype(np.uint16)
        order = order[np.argsort(digits, kind="stable")]
    return order


def renumbered(wide: NDArray[np.int64], below: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return numbers without gaps in place of numbers from 0 to `below`, and the first row of each.

    >>> [found.tolist() for found in renumbered(np.array([9, 4, 9]), 10)]
    [[1, 0, 1], [1, 0]]
    """
    count = len(wide)
    if below > 2 * count:
        order = stable_order(wide, below)
        in_order = wide[order]
        is_new = np.ones(count, dtype=np.bool_)
        is_new[1:] = in_order[1:] != in_order[:-1]
        numbers = np.empty(count, dtype=np.int64)
        numbers[order] = np.cumsum(is_new) - 1
        return numbers, order[is_new]
    is_used = np.zeros(below, dtype=np.bool_)
    is_used[wide] = True
    numbers = (np.cumsum(is_used) - 1)[wide]
    first = np.empty(int(is_used.sum()), dtype=np.int64)
    first[numbers[::-1]] = np.arange(count - 1, -1, -1)  # of several the one written last stays
    return numbers, first


def combined_codes(
    columns: Sequence[tuple[NDArray[Any], int]], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the number of each row's combination of codes, and the first row of each combination.

    columns: codes from -1 for NULL, and how many values they number; count: of rows.
    """
    numbers = np.zeros(count, dtype=np.int64)
    size = 1
    for codes, distinct in columns:
        # Rows where the column is NULL keep their number; many columns are NULL in most rows.
        rows = np.flatnonzero(codes >= 0)
        if len(rows):
            own, first = renumbered(numbers[rows] * distinct + codes[rows], size * distinct)
            numbers[rows] = size + own
            size += len(first)
    return renumbered(numbers, size)
