"""Whatever text comes in, an expression or a CriteriaError comes out, and soon."""

from __future__ import annotations

import random
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from expressions import Expressions, mixed
from hypothesis import given, settings
from hypothesis import strategies as st
from scopes import EVENT, PROFILE

from reactor.criteria import CriteriaError, Expression, compile_expression
from reactor.criteria.lex import MAX_CHARACTERS, MAX_DEPTH, MAX_NODES, read

VOCABULARY = r"""
a b visits tier names event before now segment email AND OR NOT IN BETWEEN LIKE ESCAPE IS NULL
TRUE FALSE DISTINCT FROM CASE WHEN THEN ELSE END AS CAST TRY_CAST coalesce nullif greatest least
lower upper trim length starts_with regexp_like abs round contains cardinality TIMESTAMP
INTERVAL DAY HOUR double varchar bigint SELECT from show any for if values desc ( ) , . + - * /
% || = <> != < <= > >= == :: ; ? : @ [ ] { } ! ~ ` $ 1 2.5 .5 1e3 1e999 0x10 1_0 'a'
'2017-03-01' '%' '' "" ' " -- /* */ \ é 日
"""
WORDS = [*VOCABULARY.split(), '"a b"', "\u00a0", "\n", "\t", "\x00", "\x1b[31m", "\u202e"]


def attempt(text: str) -> Expression | None:
    """Compile `text` in both scopes, as a condition and a value; None if it is never in the language."""
    found = None
    for scope in (PROFILE, EVENT):
        for want in ("condition", "value"):
            try:
                found = compile_expression(text, scope, want)  # type: ignore[arg-type]
            except CriteriaError as error:
                assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", str(error) + error.rendered())
                assert error.offset is None or 0 <= error.offset <= len(text)
                assert error.rendered().startswith(error.message)
                assert error.__context__ is None
    return found


@settings(max_examples=700)
@given(st.lists(st.sampled_from(WORDS), max_size=25), st.sampled_from(["", " "]))
def test_words_in_any_order(words: list[str], between: str) -> None:
    """Would catch an exception of sqlglot's or of ours that is not a CriteriaError."""
    attempt(between.join(words))


@settings(max_examples=700)
@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    attempt(text)


@settings(max_examples=800)
@given(st.integers(0, 2**40))
def test_expressions_with_a_change(seed: int) -> None:
    """Drops, doubles or swaps a character or a word of a good expression."""
    rng = random.Random(seed)
    text = Expressions(rng, mixed()).condition(2).ours
    for _ in range(rng.randint(1, 3)):
        place, other = rng.randrange(len(text) + 1), rng.choice(WORDS)
        text = rng.choice(
            (
                text[:place] + text[place + 1 :],
                text[:place] + other + text[place:],
                text[place:] + text[:place],
            )
        )
    attempt(text)


TOO_MUCH = [
    ("'" + "a" * MAX_CHARACTERS + "'", "expected an expression of at most 4,000 characters, got 4,002"),
    ("", "expected an expression, got nothing"),
    (" \n\t ", "expected an expression, got nothing"),
    (" AND ".join(["TRUE"] * 300), "expected an expression of at most 500 nodes"),
    ("(" * 100 + "TRUE" + ")" * 100, "expected an expression nested at most 50 deep"),
    ("NOT " * 100 + "TRUE", "expected an expression nested at most 50 deep"),
    ("- " * 100 + "1", "expected an expression nested at most 50 deep"),
    ("abs(" * 100 + "1" + ")" * 100, "expected an expression nested at most 50 deep"),
    ("CASE WHEN " * 60 + "TRUE" + " THEN TRUE END" * 60, "expected an expression nested at most 50 deep"),
    ("1" + " + 1" * 60, "expected an expression nested at most 50 deep"),
    ("a IN (" + ", ".join(["1"] * 600) + ")", "expected an expression of at most 500 nodes"),
]


@pytest.mark.parametrize(("text", "message"), TOO_MUCH, ids=range(len(TOO_MUCH)))
def test_limits(text: str, message: str) -> None:
    """The limits hold before the parser recurses."""
    with pytest.raises(CriteriaError) as caught:
        compile_expression(text, EVENT, "value")
    assert caught.value.message == message


@pytest.mark.parametrize(
    "text",
    [
        "(" * MAX_DEPTH + "TRUE" + ")" * MAX_DEPTH,
        "NOT " * (MAX_DEPTH - 1) + "TRUE",
        " AND ".join(["TRUE"] * (MAX_NODES // 2)),
        "a IN (" + ", ".join(["(1)"] * (MAX_NODES - 2)) + ")",
        "(a IN " * (MAX_DEPTH // 2 - 1) + "('x')" + ")" * (MAX_DEPTH // 2 - 1),
        "'" + "a" * (MAX_CHARACTERS - 7) + "' = a",
    ],
    ids=range(6),
)
def test_what_the_limits_allow_is_parsed_from_deep_in_a_program(text: str) -> None:
    """sqlglot takes 33 frames a parenthesis: would catch a RecursionError in a deep caller."""
    limit = sys.getrecursionlimit()

    def deep(levels: int) -> Expression | None:
        return deep(levels - 1) if levels else attempt(text)

    deep(400)
    assert sys.getrecursionlimit() == limit


def test_threads_may_compile_at_once() -> None:
    """The parser moves the interpreter's limit of recursion: would catch one thread taking another's."""
    limit = sys.getrecursionlimit()
    text = "(" * MAX_DEPTH + "TRUE" + ")" * MAX_DEPTH
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(attempt, [text] * 40))
    assert sys.getrecursionlimit() == limit


def test_tokens_are_counted_and_not_characters() -> None:
    """A long text is one node."""
    assert len(read("'" + "(" * 1_000 + "'")) == 1
