"""Criteria over columns agree with the slow walk, whatever the columns hold (law L9).

Would catch: a NULL that comes back as a value, a number rounded to a double, a list compared as a
whole, rows of one branch of a CASE put in the place of another's.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from emitted import by_name
from expressions import Expressions, mixed, mixed_row, typed, typed_row
from hypothesis import given, settings
from hypothesis import strategies as st
from test_emitted import KINDS, NEVER_NULL, SCOPE, TYPES

from reactor.criteria import CriteriaError, Expression, Ref, compile_expression, walk
from reactor.replay.columns.column import coded, column_of
from reactor.replay.columns.expressions import evaluate, holds
from reactor.values import canonical

Row = dict[str, object]


def one_form(value: object) -> object:
    """Return a value as the engine keeps it, whatever a generator made of it."""
    if isinstance(value, list):
        return [one_form(element) for element in value]
    return canonical(value) if value.__class__ is float else value


def agree(expression: Expression, rows: list[Row]) -> None:
    """Assert that columns come to what the walk does, row by row."""
    expected = [walk(expression, by_name(row)) for row in rows]

    def read(ref: Ref) -> Any:
        values = [by_name(row)(ref) for row in rows]
        kind = TYPES[ref.name].type if ref.name in TYPES else "untyped"
        return column_of(values, kind) if kind in ("number", "boolean", "timestamp") else coded(values)

    got = evaluate(expression, read, len(rows)).tolist()
    assert [(value.__class__, value) for value in expected] == [(value.__class__, value) for value in got], (
        expression.text,
        [row for row, one, two in zip(rows, expected, got, strict=True) if one != two][:1],
    )
    if expression.type == "boolean":
        assert [value is True for value in expected] == holds(expression, read, len(rows)).tolist()


def check(seed: int, *, untyped: bool, most_rows: int = 30) -> bool:
    """Try one random expression on random rows. False: it is not in the language."""
    rng = random.Random(seed)
    maker = Expressions(rng, mixed() if untyped else typed())
    kind = rng.choice(("condition", "condition", *KINDS))
    depth = rng.randint(0, 4)
    made = maker.condition(depth) if kind == "condition" else maker.value(kind, depth)  # type: ignore[arg-type]
    try:
        expression = compile_expression(made.ours, SCOPE, "condition" if kind == "condition" else "value")
    except CriteriaError:
        return False
    rows: list[Row] = []
    for _ in range(rng.choice((0, 1, most_rows))):
        row = mixed_row(rng) if untyped else typed_row(rng)
        row |= {name: value for name, value in NEVER_NULL.items() if row[name] is None}
        rows.append({name: one_form(value) for name, value in row.items()})
    agree(expression, rows)
    return True


@settings(max_examples=400)
@given(st.integers(0, 2**48))
def test_columns_agree_on_typed_columns(seed: int) -> None:
    check(seed, untyped=False)


@settings(max_examples=600)
@given(st.integers(0, 2**48))
def test_columns_agree_on_mixed_columns(seed: int) -> None:
    check(seed, untyped=True)


@pytest.mark.parametrize(
    "text",
    [
        "n1 = 9007199254740993",
        "n1 > 9007199254740992",
        "n1 + 1 = 9007199254740992",
        "event.u1 = n1",
        "event.u1 = event.u2",
        "event.u1 IN (event.u2, n1)",
        "cast(event.u1 AS bigint)",
        "cast(n1 AS bigint)",
        "cast(n2 AS integer)",
        "cast(n1 * 1e15 AS bigint)",
        "CASE WHEN n1 > 1 THEN n1 WHEN s1 = 'a' THEN 0.5 END",
        "coalesce(t1, TIMESTAMP '2017-03-01') - t2 > INTERVAL '1' DAY",
        "greatest(n1, n2)",
        "t1 + INTERVAL '3000000' DAY",
        "coalesce(NULL, n1)",
        "nullif(NULL, s1)",
    ],
)
def test_numbers_beyond_doubles_stay_exact(text: str) -> None:
    """Whole numbers around 2^53, beside doubles, in every column that may hold them."""
    numbers = [2**53, 2**53 + 1, 2**53 - 1, -(2**53), float(2**53), 2.5, 1, None, 2**63 - 1, -(2**63), 1e300]
    rng = random.Random(text)
    rows: list[Row] = [
        {
            "n1": rng.choice(numbers),
            "n2": rng.choice(numbers),
            "s1": rng.choice(("a", "9007199254740993", None)),
            "t1": rng.choice((None, 0, 1_488_362_400_500)),
            "t2": 253_402_300_799_999,
            "u1": rng.choice((*numbers, "9007199254740993", "1", [1, 2**53 + 1])),
            "u2": rng.choice((*numbers, True, "1", [2.5])),
        }
        for _ in range(200)
    ]
    want = "condition" if any(sign in text for sign in ("=", ">", " IN ")) and "CASE" not in text else "value"
    agree(compile_expression(text, SCOPE, want), rows)  # type: ignore[arg-type]


def test_rounding_and_remainders_are_those_of_the_walk() -> None:
    """Ties, decimals that doubles miss, signs of zero and huge numbers, at every number of places."""
    numbers = [
        sign * n for n in (0, 0.5, 1.5, 2.5, 2.675, 1.005, 1e15 + 0.5, 1e300, 7, 1e-7) for sign in (1, -1)
    ]
    rng = random.Random(1)
    numbers += [round(rng.uniform(-100, 100), rng.randint(0, 4)) for _ in range(2_000)]
    rows: list[Row] = [{"n1": one_form(number), "n2": one_form(rng.choice(numbers))} for number in numbers]
    for text in (*(f"round(n1, {digits})" for digits in range(10)), "n1 % n2", "n1 / n2", "round(n1 * n2)"):
        agree(compile_expression(text, SCOPE, "value"), rows)
