"""Items in a row: order, capacity, deletes, clears, merging."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.attributes import items
from reactor.attributes.items import ITEM, Shape

SHAPE = Shape(at=0, columns=2, max_items=3, ttl_ms=100, unique=False)
UNIQUE = Shape(at=0, columns=2, max_items=3, ttl_ms=100, unique=True)


def fresh() -> list[Any]:
    return [(), None, None, (), ()]


def apply(actions: list[tuple[Any, ...]], shape: Shape = SHAPE) -> list[Any]:
    row = fresh()
    newest = max((action[1] for action in actions), default=0)
    for kind, time, *rest in actions:
        if kind == "add":
            items.add(row, shape, time, rest[0], (f"f{time}",), newest)
        elif kind == "delete":
            items.delete(row, shape, time, rest[0])
        else:
            items.clear(row, shape, time)
    return row


def visible(row: list[Any], low: int = -1, column: int = ITEM) -> list[Any]:
    return list(items.live(row, 0, column, low))


@pytest.mark.parametrize(
    ("name", "actions", "expected"),
    [
        (
            "time order, whatever the arrival",
            [("add", 2, "b"), ("add", 1, "a"), ("add", 3, "c")],
            ["a", "b", "c"],
        ),
        ("equal times in order of arrival", [("add", 1, "a"), ("add", 1, "b")], ["a", "b"]),
        ("capacity keeps the newest", [("add", t, str(t)) for t in (1, 2, 3, 4)], ["2", "3", "4"]),
        ("an array is one item an element", [("add", 1, ["a", "b"])], ["a", "b"]),
        ("an array beyond capacity", [("add", 1, ["a", "b", "c", "d"])], ["b", "c", "d"]),
        ("an empty array adds nothing", [("add", 1, [])], []),
        (
            "a delete hides equal and earlier times",
            [("add", 1, "a"), ("add", 3, "a"), ("delete", 1, "a")],
            ["a"],
        ),
        ("a delete reaches what comes later", [("delete", 2, "a"), ("add", 1, "a"), ("add", 2, "b")], ["b"]),
        ("a delete of an array", [("add", 1, "a"), ("add", 1, "b"), ("delete", 1, ["a", "b"])], []),
        ("1 and 1.0 are one value", [("add", 1, 1), ("delete", 1, 1.0)], []),
        ("1, true and '1' are three", [("add", 1, 1), ("delete", 1, True), ("delete", 1, "1")], [1]),
        ("a clear drops equal and earlier times", [("add", 1, "a"), ("add", 2, "b"), ("clear", 1)], ["b"]),
        ("a clear reaches what comes later", [("clear", 2), ("add", 2, "a"), ("add", 3, "b")], ["b"]),
        (
            "a hidden item keeps its place",
            [("add", 1, "a"), ("add", 2, "b"), ("add", 3, "c"), ("delete", 2, "b"), ("add", 4, "d")],
            ["c", "d"],
        ),
    ],
)
def test_what_a_list_shows(name: str, actions: list[tuple[Any, ...]], expected: list[Any]) -> None:
    assert expected == visible(apply(actions)), name


@pytest.mark.parametrize(
    ("name", "actions", "expected"),
    [
        ("the newest of a value stays", [("add", 1, "a"), ("add", 2, "b"), ("add", 3, "a")], ["b", "a"]),
        ("a late one is dropped", [("add", 3, "a"), ("add", 1, "a")], ["a"]),
        (
            "at one time the later arrival stays",
            [("add", 1, "a"), ("add", 1, "b"), ("add", 1, "a")],
            ["b", "a"],
        ),
        ("a newer one is not hidden", [("add", 1, "a"), ("delete", 1, "a"), ("add", 2, "a")], ["a"]),
    ],
)
def test_what_a_unique_list_shows(name: str, actions: list[tuple[Any, ...]], expected: list[Any]) -> None:
    assert expected == visible(apply(actions, UNIQUE)), name


def test_an_item_is_live_for_less_than_its_ttl() -> None:
    row = apply([("add", 0, "a"), ("add", 50, "b")])
    assert ["a", "b"] == visible(row, low=99 - 100)
    assert ["b"] == visible(row, low=100 - 100)


def test_deletes_beyond_max_items_are_forgotten_and_what_they_hid_stays_hidden() -> None:
    row = apply([("add", 1, "a"), *(("delete", t, value) for t, value in enumerate("axyz", 1))])
    assert [] == visible(row)
    items.add(row, SHAPE, 1, "a", (None,), 4)
    assert ["a"] == visible(row), "a late item whose delete was forgotten stays"


def test_aggregations() -> None:
    row = fresh()
    for time, value, field in (1, "a", 2), (2, "b", "2.5"), (3, "a", None):
        items.add(row, SHAPE, time, value, (field,), 3)
    field = ITEM + 1
    table = {
        "first": ("a", 2),
        "last": ("a", "2.5"),
        "sum": (0, 4.5),
        "min": (None, 2),
        "max": (None, 2.5),
        "distinct": (["a", "b"], [2, "2.5"]),
        "count": (3, 2),
    }
    for name, expected in table.items():
        aggregate = items.AGGREGATIONS[name]
        assert expected == (aggregate(visible(row)), aggregate(visible(row, column=field))), name


def test_distinct_keeps_the_order_of_first_occurrence_for_any_values() -> None:
    row = fresh()
    big = Shape(0, 2, 100, 100, unique=False)
    for value in (2, "2", True, 2.0, [1], 1, False):
        items.add(row, big, 1, "x", (value,), 1)
    expected = [2, "2", True, [1], 1, False]
    found = items.distinct(visible(row, column=ITEM + 1))
    assert expected == found
    assert list(map(type, expected)) == list(map(type, found))


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 500), st.sampled_from(["a", "b", 1, True])),
        st.tuples(st.just("delete"), st.integers(0, 500), st.sampled_from(["a", "b", 1, True])),
        st.tuples(st.just("clear"), st.integers(0, 500)),
    ),
    max_size=12,
    unique_by=lambda action: action[1],
)


@given(ACTIONS, st.randoms(use_true_random=False), st.booleans())
def test_arrival_and_merging_commute(actions: list[tuple[Any, ...]], random: Any, is_unique: bool) -> None:
    """Times differ and at most three deletes are made: any order, on any two profiles, is one list."""
    actions = [
        a for n, a in enumerate(actions) if a[0] != "delete" or sum(b[0] == "delete" for b in actions[:n]) < 3
    ]
    shape = UNIQUE if is_unique else SHAPE
    straight = apply(sorted(actions, key=lambda action: action[1]), shape)
    shuffled = random.sample(actions, len(actions))
    assert visible(straight) == visible(apply(shuffled, shape))
    cut = random.randint(0, len(actions))
    merged = fresh()
    items.merge(apply(shuffled[:cut], shape), apply(shuffled[cut:], shape), merged, shape)
    assert visible(straight) == visible(merged)
    assert visible(straight, column=ITEM + 1) == visible(merged, column=ITEM + 1)
