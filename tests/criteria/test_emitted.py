"""Emitted code agrees with the slow walk, whatever the columns hold.

Would catch: a fast path that forgets a class of value, a guard that is missing or too many, a
temporary read before it is bound, a false form that is not the contrary of the true one.
"""

from __future__ import annotations

import random

import pytest
from emitted import by_name, compiled, evaluate
from expressions import Expressions, Kind, mixed, mixed_row, typed, typed_row
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.criteria import CriteriaError, Expression, Name, Scope, compile_expression, walk

TYPES = {
    **{name: Name("number") for name in ("n1", "n2")},
    "n3": Name("number", nullable=False),
    **{name: Name("string") for name in ("s1", "s2")},
    "s3": Name("string", nullable=False),
    "b1": Name("boolean"),
    "b2": Name("boolean", nullable=False),
    "t1": Name("timestamp"),
    "t2": Name("timestamp", nullable=False),
    "ls": Name("strings"),
    "ln": Name("numbers"),
    "l": Name("list"),
}
SCOPE = Scope(names=TYPES, columns={})
NEVER_NULL = {"n3": 0.5, "s3": "a", "b2": True, "t2": 0}
KINDS: tuple[Kind, ...] = ("number", "text", "boolean", "time")


def agree(expression: Expression, negated: Expression | None, row: dict[str, object]) -> None:
    """Assert that every emitted form comes to what the walk does, with reads free and not."""
    read = by_name(row)
    expected = walk(expression, read)
    values = {ref: read(ref) for ref in expression.refs}
    for identifiers in (True, False):
        run, source = compiled(expression, "value", identifiers=identifiers)
        got = run(values)
        assert (got, type(got)) == (expected, type(expected)), (expression.text, source, row)
        if expression.type == "boolean":
            run, source = compiled(expression, "condition", identifiers=identifiers)
            assert bool(run(values)) is (expected is True), (expression.text, source, row)
        if negated is not None:
            run, source = compiled(negated, "condition", identifiers=identifiers)
            assert bool(run(values)) is (expected is False), (negated.text, source, row)
    assert expected is not None or expression.nullable, (expression.text, row)


def check(seed: int, *, untyped: bool) -> bool:
    """Try one random expression on random rows. False: it is not in the language."""
    rng = random.Random(seed)
    maker = Expressions(rng, mixed() if untyped else typed())
    kind = rng.choice(("condition", "condition", *KINDS))
    depth = rng.randint(0, 4)
    made = maker.condition(depth) if kind == "condition" else maker.value(kind, depth)  # type: ignore[arg-type]
    try:
        expression = compile_expression(made.ours, SCOPE, "condition" if kind == "condition" else "value")
    except CriteriaError:
        assert untyped or len(made.ours) > 1_000, (
            made.ours
        )  # two untyped sides of <, and branches of two types
        return False
    negated = compile_expression(f"NOT {made.ours}", SCOPE, "condition") if kind == "condition" else None
    for _ in range(6):
        row = mixed_row(rng) if untyped else typed_row(rng)
        agree(
            expression,
            negated,
            row | {name: value for name, value in NEVER_NULL.items() if row[name] is None},
        )
    return True


@settings(max_examples=700)
@given(st.integers(0, 2**48))
def test_emitted_agrees_on_typed_columns(seed: int) -> None:
    check(seed, untyped=False)


@settings(max_examples=1_000)
@given(st.integers(0, 2**48))
def test_emitted_agrees_on_mixed_columns(seed: int) -> None:
    check(seed, untyped=True)


def test_most_mixed_expressions_are_in_the_language() -> None:
    """Would catch a generator that makes only refusals, which test nothing."""
    made = sum(check(seed, untyped=True) for seed in range(300))
    assert made > 150


DEEP = [
    "(" * 24 + "n1" + " + 1)" * 24 + " > 3",
    "NOT (" * 20 + "s1 = 'a' OR n1 > 1" + ")" * 20,
    "coalesce(" * 45 + "n1" + ", n2)" * 45 + " > 3",
    "abs(round(" * 20 + "n1" + ", 2))" * 20 + " = 3",
    "CASE WHEN n1 > 1 THEN " * 40 + "n2" + " ELSE n3 END" * 40 + " = 1",
    "(" * 22 + "(n1 > 1)" + " IS NULL OR s1 = 'a')" * 22 + " IS NULL",
    "CASE " * 20 + "n1" + " WHEN 1 THEN n2 WHEN n3 THEN 1 ELSE 3 END" * 20 + " = 2",
    " AND ".join(["n1 > 1"] * 120),
    " || ".join(["s1"] * 200) + " = 'a'",
]


@pytest.mark.parametrize("text", DEEP, ids=range(len(DEEP)))
def test_deep_expressions_compile_and_agree(text: str) -> None:
    """What the limits allow, Python's parser can take; and its size does not double level by level."""
    expression = compile_expression(text, SCOPE, "condition")
    _, source = compiled(expression, "condition")
    assert len(source) < 60_000
    for n1 in (None, 0.5, 3):
        agree(expression, None, {"n1": n1, "n2": 2, "n3": 0.5, "s1": "a"})


def test_source_holds_no_text_of_the_user() -> None:
    """Names and constants go through slots: would catch a literal written into the source."""
    text = (
        "event.secret = 'top' AND s1 LIKE '%top%' AND regexp_like(s1, '^top.*secret') "
        "AND s1 IN ('top', 'secret') AND starts_with(s1, 'top') AND s1 || 'top' <> 'secret' "
        "AND CASE s1 WHEN 'top' THEN 'secret' END = 'top'"
    )
    for form in ("condition", "value"):
        _, source = compiled(compile_expression(text, SCOPE, "condition"), form)
        assert "top" not in source
        assert "secret" not in source
        assert "s1" not in source


SOURCES = [
    ("n1 > 3", "(r0 is not None and r0 > 3)"),
    ("n3 > 3", "r0 > 3"),
    ("n1 = 3", "r0 == 3"),
    ("NOT n1 = 3", "(r0 is not None and r0 != 3)"),
    ("NOT n3 > 3", "r0 <= 3"),
    ("s1 IN ('a', 'b')", "r0 in k0"),
    ("ls = 'a'", "(r0 is not None and k0 in r0)"),
    ("s1 IS NULL", "(r0 is None)"),
    ("n1 BETWEEN 1 AND 2", "(r0 is not None and 1 <= r0 <= 2)"),
    ("s1 LIKE 'a%'", "(r0 is not None and r0.startswith(k0))"),
    ("event.u1 = 'a'", "(r0 == k0 if r0.__class__ is str else r0 is not None and f1(r0, k0) is True)"),
    ("n1 > 1 + 1", "(r0 is not None and r0 > 2.0)"),
    ("b2 AND NOT b1", "(r0 and (r1 is False))"),
]


@pytest.mark.parametrize(("text", "source"), SOURCES, ids=[text for text, _ in SOURCES])
def test_source_of_the_common_forms(source: str, text: str) -> None:
    """Pins what runs for the commonest criteria: a guard too many is a slower engine."""
    assert source == compiled(compile_expression(text, SCOPE, "condition"), "condition")[1]


def test_reads_that_cost_are_made_once() -> None:
    """A read that is no identifier is bound, so that a window is summed once a use."""
    _, source = compiled(
        compile_expression("n1 BETWEEN 1 AND 5", SCOPE, "condition"), "condition", identifiers=False
    )
    assert source == "((t1 := row['r0']) is not None and 1 <= t1 <= 5)"


def test_keys_may_be_held_in_a_dict() -> None:
    """A stitching key's values are the keys of a dict: it reads as a list in every place."""
    row: dict[str, object] = {"ls": {"a": 1, "bb": 2}, "s1": "bb"}
    for text, expected in (
        ("ls = 'a'", True), ("ls <> 'a'", True), ("ls LIKE 'b%'", True), ("ls IN ('c', 'a')", True),
        ("contains(ls, s1)", True), ("cardinality(ls) = 2", True), ("ls > 'b'", True), ("ls IN (s1)", True),
        ("starts_with(ls, 'c')", False), ("regexp_like(ls, 'b+$')", True), ("ls BETWEEN 'a' AND 'a'", True),
    ):  # fmt: skip
        assert evaluate(text, SCOPE, row) is expected, text
