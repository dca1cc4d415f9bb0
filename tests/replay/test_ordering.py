"""Orders and numbers without a sort are those of a sort."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reactor.replay.columns.ordering import combined_codes, order_of, renumbered, stable_order
from reactor.replay.columns.sequences import standing_before

WIDE = st.sampled_from([1, 5, 300, 2**16, 2**16 + 1, 2**33, 2**50])


@given(st.lists(st.integers(0, 400), unique=True), st.sampled_from([1, 97, 10**9]))
def test_the_order_of_distinct_numbers(numbers: list[int], factor: int) -> None:
    found = order_of(np.array(numbers, dtype=np.int64) * factor)
    assert found.tolist() == sorted(range(len(numbers)), key=numbers.__getitem__)


@given(st.data(), WIDE)
def test_a_stable_order(data: st.DataObject, below: int) -> None:
    numbers = data.draw(st.lists(st.integers(0, below - 1), max_size=80))
    found = stable_order(np.array(numbers, dtype=np.int64), below)
    assert found.tolist() == sorted(range(len(numbers)), key=numbers.__getitem__)


@given(st.data(), WIDE)
def test_numbers_without_gaps(data: st.DataObject, below: int) -> None:
    wide = data.draw(st.lists(st.integers(0, below - 1), max_size=80))
    numbers, first = renumbered(np.array(wide, dtype=np.int64), below)
    distinct = sorted(set(wide))
    assert numbers.tolist() == [distinct.index(each) for each in wide]
    assert first.tolist() == [wide.index(each) for each in distinct]


@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 0), st.integers(-1, 40)), max_size=60))
def test_a_number_for_each_combination(rows: list[tuple[int, int, int]]) -> None:
    columns = np.array(rows, dtype=np.int32).reshape(len(rows), 3)
    numbers, first = combined_codes(
        [(columns[:, place], distinct) for place, distinct in enumerate((4, 1, 41))], len(rows)
    )
    assert len(first) == len(set(rows))
    assert [rows.index(row) for row in rows] == first[numbers].tolist()


@given(st.sets(st.integers(0, 49)))
def test_how_many_stand_before(places: set[int]) -> None:
    found = standing_before(np.array(sorted(places), dtype=np.int64), 50)
    assert found.tolist() == [sum(each < place for each in places) for place in range(51)]
