"""A tree written as SQL means what the tree means.

Would catch: a missing parenthesis, a lost NOT, a literal that reads back as another value.
"""

from __future__ import annotations

import random

import pytest
from emitted import by_name
from expressions import Expressions, mixed, mixed_row, typed, typed_row
from hypothesis import given, settings
from hypothesis import strategies as st
from test_emitted import NEVER_NULL, SCOPE

from reactor.criteria import CriteriaError, compile_expression, walk
from reactor.criteria.write import sql


@settings(max_examples=settings.default.max_examples // 2)
@given(st.integers(0, 2**32), st.booleans())
def test_written_trees_mean_the_same(seed: int, untyped: bool) -> None:
    """What is written compiles to a tree that comes to the same on random rows, and is written alike."""
    rng = random.Random(seed)
    maker = Expressions(rng, mixed() if untyped else typed())
    kind = rng.choice(("condition", "condition", "number", "text", "boolean", "time"))
    try:
        expression = compile_expression(
            maker.condition(rng.randint(0, 4)).ours if kind == "condition" else getattr(maker, kind)(3).ours,
            SCOPE,
            "condition" if kind == "condition" else "value",
        )
    except CriteriaError:
        return
    text = sql(expression.root)
    try:
        again = compile_expression(text, SCOPE, "condition" if kind == "condition" else "value")
    except CriteriaError as error:
        # A folded constant has lost the type that its place took it for: `coalesce(NULL, NULL)`.
        assert "NULL" in text or not expression.refs, (expression.text, text, str(error))
        return
    assert sql(again.root) == text
    for _ in range(5):
        row = {**(mixed_row(rng) if untyped else typed_row(rng)), **NEVER_NULL}
        assert walk(again, by_name(row)) == walk(expression, by_name(row)), (expression.text, text)


@pytest.mark.parametrize(
    "text",
    [
        "n1 > 2.5 AND (s1 = 'it''s' OR NOT b1)",
        "n1 IS NOT NULL OR (n1 > 1) IS NOT TRUE",
        "s1 LIKE 'a!%%' ESCAPE '!' AND regexp_like(s2, '^a')",
        "t1 - INTERVAL '36' HOUR < TIMESTAMP '2017-03-01 10:00:00.500'",
        "CASE WHEN n1 > 1 THEN 'a' ELSE s1 END IN ('a', 'b')",
        "n1 - (n2 - n3) BETWEEN -2 AND round(n2 / 3, 2)",
        "NOT (n1 IN (1, 2)) AND n2 IS DISTINCT FROM 3",
        "contains(ls, 'x') AND cardinality(ln) > 1",
    ],
)
def test_what_is_plain_is_written_as_it_was(text: str) -> None:
    """Plain conditions come back almost as their author wrote them."""
    root = compile_expression(text, SCOPE, "condition").root
    assert compile_expression(sql(root), SCOPE, "condition").root == root
