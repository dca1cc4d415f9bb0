"""Lists over columns read what the live functions read, at every place of every sequence.

Would catch: an item that expired or was pushed out and still counts, a value that an unused place of
another sequence lends, a clear that reaches into the next sequence, a sum in doubles.
"""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.attributes import items
from reactor.attributes.lists import ListSlots
from reactor.replay.columns import lists, spans
from reactor.replay.columns.column import Lists, coded
from reactor.replay.columns.lists import ListColumns, Steps
from reactor.spec.model import Aggregation, ListAttribute, Trigger
from reactor.testing.histories import JUNK, NUMBERS, WORDS
from reactor.values import canonical, usable

VALUES = [value for raw in (*WORDS, *NUMBERS, *JUNK, ["x", 1], [], [2, "x", True], 2**53 + 1, 0.1)
          if (value := usable(raw, 64)) is not None]  # fmt: skip
TWINS = [2**53, 2.0**53, 2**53 + 1, "x"]  # the first two are written differently, and one value in a list
KINDS = ("first", "last", "sum", "min", "max", "distinct", "count")
AGGREGATIONS = {
    f"{kind}_{column}": Aggregation(f"{kind}_{column}", kind, column, False)  # type: ignore[arg-type]
    for kind in KINDS
    for column in ("item", "price")
}


class Place(msgspec.Struct):
    """What one event does to the list."""

    sequence: int
    time: int
    item: Any = None
    field: Any = None
    deleted: Any = None
    clears: bool = False


def attribute_of(random: Random) -> ListAttribute:
    trigger = (Trigger("see", None),)
    return ListAttribute(
        name="seen",
        on=trigger,
        item={},
        fields={"price": {}},
        unique=random.random() < 0.5,
        max_items=random.choice((1, 2, 3, 100)),
        ttl_ms=random.choice((1, 5, 20, 10**9)),
        aggregations=AGGREGATIONS,
        delete_on=trigger if random.random() < 0.4 else (),
        clear_on=trigger if random.random() < 0.4 else (),
    )


def history_of(random: Random, attribute: ListAttribute) -> list[Place]:
    few = random.choice((random.sample(VALUES, 3), random.sample(VALUES, 3), VALUES, TWINS))
    found = []
    for sequence in range(random.randint(1, 4)):
        time, steps = 1_700_000_000_000, random.choice(((0, 0, 1, 3, 10), (0, 1), (1, 5)))
        for _ in range(random.randint(1, 15)):
            time += random.choice(steps)
            place = Place(sequence, time)
            if random.random() < 0.7:
                place.item, place.field = random.choice(few), random.choice((*few, None))
            if attribute.delete_on and random.random() < 0.25:
                place.deleted = random.choice(few)
            place.clears = bool(attribute.clear_on) and random.random() < 0.15
            found.append(place)
    return found


def steps_of(history: list[Place]) -> Steps:
    sequences = [place.sequence for place in history]
    added = [number for number, place in enumerate(history) if place.item is not None]
    deleted = [number for number, place in enumerate(history) if place.deleted is not None]
    cleared = [number for number, place in enumerate(history) if place.clears]
    return Steps(
        time=np.array([place.time for place in history], dtype=np.int64),
        start=np.array([sequences.index(each) for each in sequences], dtype=np.int64),
        item_places=np.array(added, dtype=np.int64),
        items=coded([history[number].item for number in added]),
        fields=[coded([history[number].field for number in added])],
        delete_places=np.array(deleted, dtype=np.int64),
        deletes=coded([history[number].deleted for number in deleted]),
        clear_places=np.array(cleared, dtype=np.int64),
    )


def walked(attribute: ListAttribute, history: list[Place], place: int, *, before: bool) -> list[Any]:
    """Return all aggregations at a place, by the functions of the live engine."""
    slots = ListSlots(attribute, 0)
    row = list(slots.template())
    own = [each for each in history[: place + (not before)] if each.sequence == history[place].sequence]
    for each in own:
        if each.item is not None:
            items.add(row, slots.shape, each.time, each.item, (each.field,), each.time)
        if each.deleted is not None:
            items.delete(row, slots.shape, each.time, each.deleted)
        if each.clears:
            items.clear(row, slots.shape, each.time)
    low = history[place].time - attribute.ttl_ms
    found = []
    for aggregation in AGGREGATIONS.values():
        column = items.ITEM + slots.columns.index(aggregation.column)
        value = items.AGGREGATIONS[aggregation.kind](items.live(row, 0, column, low))
        found.append(canonical(value) if isinstance(value, float) else value)
    return found


def check(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare one random list over random sequences, read at random places."""
    random = Random(seed)
    attribute = attribute_of(random)
    history = history_of(random, attribute)
    monkeypatch.setattr(spans, "_BLOCK", random.choice((1, 7, 10**6)))
    monkeypatch.setattr(lists, "_WIDEST", random.choice((1, 2**62)))
    made = ListColumns(attribute, steps_of(history))
    for before in (False, True):
        places = sorted(random.sample(range(len(history)), random.randint(0, len(history))))
        columns = made.read([*AGGREGATIONS.values()], np.array(places, dtype=np.int64), before=before)
        expected = [walked(attribute, history, place, before=before) for place in places]
        got = [[*row] for row in zip(*(column.tolist() for column in columns), strict=True)]
        assert [msgspec.json.encode(row) for row in expected] == [msgspec.json.encode(row) for row in got], (
            seed
        )
        for column, lists_of in zip(columns, zip(*expected, strict=True), strict=bool(expected)):
            if isinstance(column, Lists):
                assert [len(each) for each in lists_of] == column.source.sizes(column.rows).tolist(), seed


@settings(max_examples=400)
@given(st.integers(0, 2**48))
def test_lists_over_columns_read_what_the_live_functions_read(seed: int) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        check(seed, monkeypatch)


def test_sums_are_exact() -> None:
    """A life's sum is that of its decimals, however large: 10^12 a hundred times, and a millionth."""
    attribute = msgspec.structs.replace(
        attribute_of(Random(1)), unique=False, max_items=100, ttl_ms=10**9, delete_on=(), clear_on=()
    )
    history = [Place(0, 1_700_000_000_000, value) for value in [10**12, 999_999_999_999.5, 0.000001] * 30]
    (column,) = ListColumns(attribute, steps_of(history)).read(
        [AGGREGATIONS["sum_item"]], np.arange(90), before=False
    )
    assert [walked(attribute, history, place, before=False)[4] for place in range(90)] == column.tolist()
