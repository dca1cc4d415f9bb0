"""Columns hold what the live engine holds, and read it as it does."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor import values
from reactor.replay.columns import column as columns
from reactor.replay.columns.column import Coded, Column, Numbers, coded, column_of
from reactor.testing.histories import JUNK, NUMBERS, WORDS
from reactor.values import canonical, usable

RAW = (*WORDS, *NUMBERS, *JUNK, 2**53, float(2**53), 2**53 + 1, -(2**63), ["x", 1], ["1", True], "1488362400")
USABLE: tuple[Any, ...] = tuple(usable(value, 64) for value in RAW)


def same(expected: list[Any], column: Column) -> None:
    """Assert that a column has these values, of these classes."""
    got = column.tolist()
    assert [(value.__class__, value) for value in expected] == [(value.__class__, value) for value in got]


@given(st.lists(st.sampled_from(range(len(USABLE))), max_size=40), st.integers(0, 2**32))
def test_what_goes_in_comes_out(places: list[int], seed: int) -> None:
    """Would catch 1 and True, or 2^53 and its double, taken for one value; a NULL lost by `take`."""
    found = [USABLE[place] for place in places]
    random = Random(seed)
    column = coded(found)
    same(found, column)
    rows = [random.randrange(len(found)) for _ in found]
    same([found[row] for row in rows], column.take(np.array(rows, dtype=np.int64)))
    assert [value is None for value in found] == column.null().tolist()
    cut = random.randint(0, len(found))
    same(found, columns.concatenate([coded(found[:cut]), coded(found[cut:])]))


@given(st.lists(st.sampled_from(range(len(USABLE))), max_size=40))
def test_values_are_read_as_the_live_engine_reads_them(places: list[int]) -> None:
    """Would catch a cast that forgets a class of value, or a number that a double does not hold."""
    found = [USABLE[place] for place in places]
    column = coded(found)
    same([values.as_text(value) for value in found], columns.as_text(column))
    numbers = [values.as_number(value) for value in found]
    same([number if number is None else canonical(number) for number in numbers], columns.as_number(column))
    same([values.as_boolean(value) for value in found], columns.as_boolean(column))
    same([values.as_time(value) for value in found], columns.as_time(column))


@pytest.mark.parametrize("kind", ["number", "boolean", "timestamp", "untyped"])
def test_typed_columns_come_apart_and_together(kind: str) -> None:
    """Every class of column can be joined, taken from and read by value."""
    of_kind: dict[str, list[Any]] = {
        "number": [1, 2.5, None, 10**15, 1e300],
        "boolean": [True, None, False],
        "timestamp": [0, None, 1_488_362_400_123],
        "untyped": ["a", None, [1, "b"], True],
    }
    some = of_kind[kind]
    column = column_of(some, kind)
    same(some + some, columns.concatenate([column, column]))
    same([*some, "x", 2**60], columns.concatenate([column, coded(["x", 2**60])]))
    same(some, columns.as_coded(column))
    same([some[-1], some[0]], column.take(np.array([-1, 0], dtype=np.int64)))
    same([value for value in some if value is not None], column.take(~column.null()))


def test_numbers_that_doubles_do_not_hold_stay_exact() -> None:
    assert isinstance(column_of([1, 2.5], "number"), Numbers)
    assert isinstance(column_of([2**53 + 1, 2.5], "number"), Coded)
    assert columns.doubles(Numbers(np.array([2**53 + 1]))) is None
    assert columns.doubles(Numbers(np.array([3]))).tolist() == [3.0]  # type: ignore[union-attr]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([1, 2.5, None]), st.booleans()), min_size=1)
)
def test_rows_that_are_alike_have_one_number(rows: list[tuple[Any, ...]]) -> None:
    kinds = ("untyped", "number", "boolean")
    made = [column_of(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
    numbers, first = columns.combined(made)
    assert [rows[first[number]] for number in numbers] == rows
    assert len(first) == len(set(rows))
