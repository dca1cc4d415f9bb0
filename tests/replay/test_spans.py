"""Spans say what a look at each of them says, and lists that are not made answer as those that are.

Would catch: a span that ends a place too early or too late, a label that reaches from one sequence
into the next, a `contains` that reads 1 and "1" as one where it must not, or as two where it must.
"""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.criteria import Name, Ref, Scope, compile_expression
from reactor.replay.columns import spans
from reactor.replay.columns.answers import json_texts, typed
from reactor.replay.columns.column import Coded, Column, Lists, as_coded, coded, column_of
from reactor.replay.columns.expressions import evaluate
from reactor.replay.columns.lists import ListColumns
from reactor.replay.columns.spans import Spans
from reactor.replay.tables import json_text
from reactor.spec.model import Aggregation

from .test_list_columns import VALUES, attribute_of, history_of, steps_of

SCOPE = Scope(
    names={
        "seen": Name("list", nullable=False),
        "other": Name("list", nullable=False),
        "text": Name("string"),
        "number": Name("number"),
        "flag": Name("boolean"),
        "value": Name("untyped"),
    }
)
QUESTIONS = (
    "contains(seen, value)",
    "contains(seen, text)",
    "contains(seen, number)",
    "contains(seen, flag)",
    "contains(seen, 'x')",
    "contains(seen, 1)",
    "contains(seen, 2.0)",
    "contains(seen, true)",
    "contains(value, 'x')",
    "cardinality(seen)",
    "seen IS NULL",
    "seen = 'x'",
    "seen > 1",
    "seen = value",
    "seen IN ('x', '1')",
    "seen BETWEEN 0 AND 3",
    "seen LIKE '%x%'",
    "starts_with(seen, text)",
    "coalesce(seen, other)",
    "CASE WHEN flag THEN seen ELSE other END",
    "cardinality(CASE WHEN flag THEN seen ELSE other END)",
    "flag AND contains(seen, value) AND cardinality(other) > 1",
    "nullif(cardinality(seen), 0)",
)


def drawn(random: Random) -> tuple[Spans, list[tuple[int, int]]]:
    """Return spans over a few places, and the pairs they were made of."""
    count = random.choice((0, 1, 5, 40))
    pairs = sorted(
        (random.randrange(count), random.randint(0, count))
        for _ in range(random.choice((0, 1, 9)) * (count > 0))
    )
    start, stop = (np.array([pair[side] for pair in pairs], dtype=np.int64) for side in (0, 1))
    return Spans(np.arange(len(pairs)), start, stop, count), pairs


@settings(max_examples=300)
@given(st.integers(0, 2**48))
def test_spans_say_what_a_look_at_each_says(seed: int) -> None:
    random = Random(seed)
    made, pairs = drawn(random)
    places = range(made.count)
    live = [[item for item, (start, stop) in enumerate(pairs) if start <= at < stop] for at in places]
    values = [random.randint(-5, 5) for _ in pairs]
    labels = [random.randrange(3) for _ in pairs]
    of_span = np.array(values, dtype=np.int64)[made.items]
    label = np.array(labels, dtype=np.int64)[made.items]
    wanted = np.array([random.randrange(-1, 4) for _ in places], dtype=np.int64)

    assert [len(each) for each in live] == made.counts().tolist()
    assert [sum(values[item] for item in each) for each in live] == made.sums(of_span).tolist()
    assert [min((values[item] for item in each), default=9) for each in live] == (
        made.best(of_span, np.minimum, 9).tolist()
    )
    assert [max((values[item] for item in each), default=-9) for each in live] == (
        made.best(of_span, np.maximum, -9).tolist()
    )
    assert [each[0] if each else -1 for each in live] == made.oldest().tolist()
    assert [each[-1] if each else -1 for each in live] == made.newest().tolist()
    assert [len({labels[item] for item in each}) for each in live] == made.unlike(label).counts().tolist()
    assert [want in {labels[item] for item in each} for each, want in zip(live, wanted, strict=True)] == (
        made.covering(label, wanted, np.arange(made.count)).tolist()
    )


@settings(max_examples=200)
@given(st.integers(0, 2**48))
def test_lives_are_the_items_of_each_place(seed: int) -> None:
    random = Random(seed)
    made, pairs = drawn(random)
    kept = np.array([random.random() < 0.7 for _ in pairs], dtype=np.bool_)
    made = made.only(kept)
    live = [
        [item for item, (start, stop) in enumerate(pairs) if start <= at < stop and kept[item]]
        for at in range(made.count)
    ]
    if random.random() < 0.5:
        labels = [random.randrange(3) for _ in pairs]
        made = made.unlike(np.array(labels, dtype=np.int64)[made.items])
        live = [sorted({labels[item]: item for item in reversed(each)}.values()) for each in live]
    state, first = made.states()
    assert [live[first[number]] for number in state.tolist()] == live
    found = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(spans, "_BLOCK", random.choice((1, 7, 10**6)))
        for items, ends in made.lives(np.arange(made.count)):
            found += [part.tolist() for part in np.split(items, ends)[:-1]]
    assert live == found


def asked_of(random: Random) -> tuple[dict[str, Column], int]:
    """Return two columns of lists that are not made, and columns of values to ask them about."""
    attribute = attribute_of(random)
    history = history_of(random, attribute)
    places = np.arange(len(history))
    distinct = [Aggregation(name, "distinct", name, False) for name in ("item", "price")]
    made = ListColumns(attribute, steps_of(history))
    seen, other = made.read(distinct, places, before=random.random() < 0.5)
    count = len(history)
    elements = [place.item for place in history if place.item is not None] or ["x"]
    return {
        "seen": seen,
        "other": other,
        "text": coded([random.choice(("x", "1", "true", None)) for _ in range(count)]),
        "number": column_of([random.choice((1, 2, 0.5, None)) for _ in range(count)], "number"),
        "flag": column_of([random.choice((True, False, None)) for _ in range(count)], "boolean"),
        "value": coded([random.choice((*elements, *VALUES, None)) for _ in range(count)]),
    }, count


@settings(max_examples=150)
@given(st.integers(0, 2**48))
def test_lists_that_are_not_made_answer_as_those_that_are(seed: int) -> None:
    random = Random(seed)
    lazy, count = asked_of(random)
    assert isinstance(lazy["seen"], Lists)
    plain = {name: as_coded(column) if isinstance(column, Lists) else column for name, column in lazy.items()}
    for text in QUESTIONS:
        expression = compile_expression(text, SCOPE, "value")
        one, other = (
            evaluate(expression, lambda ref, of=columns: of[ref.name], count)  # type: ignore[misc]
            for columns in (plain, lazy)
        )
        assert [repr(value) for value in one.tolist()] == [repr(value) for value in other.tolist()], text


@given(st.integers(0, 2**48))
def test_rows_of_lists_are_the_rows_of_the_made_ones(seed: int) -> None:
    random = Random(seed)
    lazy, count = asked_of(random)
    seen = lazy["seen"]
    made = as_coded(seen)
    rows = np.array(random.choices(range(count), k=random.randint(0, 2 * count)), dtype=np.int64)
    assert made.take(rows).tolist() == seen.take(rows).tolist()
    mask = np.array([random.random() < 0.5 for _ in range(count)], dtype=np.bool_)
    assert made.take(mask).tolist() == seen.take(mask).take(np.arange(int(mask.sum()))).tolist()
    assert not seen.null().any()
    texts = [json_text(value) for value in seen.take(rows).tolist()]
    assert texts == json_texts(seen.take(rows)).to_list() == typed(seen.take(rows), "list").to_list()


def test_contains_reads_a_list_without_making_it() -> None:
    """A list that says it can't be made is asked all the same."""

    class Unmade:
        def __init__(self) -> None:
            self.elements = ["x", 1]

        def sizes(self, rows: np.ndarray) -> np.ndarray:
            return np.array([2, 0])[rows]

        def holding(self, labels: np.ndarray, wanted: np.ndarray, rows: np.ndarray) -> np.ndarray:
            return np.isin(wanted, labels) & (rows == 0)

        def made(self, rows: np.ndarray, text_of: object = None) -> Coded:
            raise AssertionError("made")

    lists = Lists(Unmade(), np.arange(2))
    for text, expected in (
        ("contains(seen, 'x')", [True, False]),
        ("cardinality(seen)", [2, 0]),
        ("seen IS NULL", [False, False]),
        ("NOT contains(seen, value)", [None, True]),
    ):
        columns: dict[str, Column] = {"seen": lists, "value": coded([None, "x"])}
        expression = compile_expression(text, SCOPE, "value")

        def read(ref: Ref, of: dict[str, Column] = columns) -> Column:
            return of[ref.name]

        assert expected == evaluate(expression, read, 2).tolist(), text
