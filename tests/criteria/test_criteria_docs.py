"""The reference page of criteria is run: each `expression` → `value`, with the names it lists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from emitted import evaluate

from reactor.criteria import Name, Scope
from reactor.criteria.lex import FUNCTIONS, TARGETS, UNITS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "criteria.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLE = re.compile(r"`([^`]+)` → `([^`]+)`")
EXAMPLES = [(ours.replace("\\|", "|"), theirs) for ours, theirs in EXAMPLE.findall(TEXT)]

SCOPE = Scope(
    names={
        **{name: Name("number") for name in ("n", "price", "zero", "gone")},
        **{name: Name("string") for name in ("city", "nowhere")},
        "vip": Name("boolean"),
        "at": Name("timestamp"),
        "tags": Name("strings"),
        "empty": Name("strings"),
        "sizes": Name("numbers"),
    },
    columns={},
    now=True,
    segments=frozenset({"1588214"}),
)
ROW: dict[str, object] = {
    "n": 7,
    "price": 2.5,
    "zero": 0,
    "city": "London",
    "vip": True,
    "at": 1_488_362_400_000,
    "now": 1_488_412_800_000,
    "tags": ["a", "b"],
    "empty": [],
    "sizes": [1, 5],
    "code": "12",
    "word": "abc",
    "flag": "True",
    "mixed": ["x", 5],
    "1588214": False,
}


def literal(text: str) -> object:
    """Return the value of a literal of SQL as the page writes it."""
    words = {"TRUE": True, "FALSE": False, "NULL": None}
    if text in words:
        return words[text]
    return text[1:-1] if text.startswith("'") else float(text)


@pytest.mark.parametrize(("expression", "value"), EXAMPLES)
def test_examples(expression: str, value: str) -> None:
    expected, got = literal(value), evaluate(expression, SCOPE, ROW)
    assert (expected, isinstance(expected, bool)) == (got, isinstance(got, bool))


def test_there_are_examples() -> None:
    """Would catch a page whose arrows are no longer found."""
    assert len(EXAMPLES) > 90


@pytest.mark.parametrize("name", [*FUNCTIONS, *TARGETS, *UNITS])
def test_every_function_is_on_the_page(name: str) -> None:
    assert re.search(rf"`[^`]*\b{name}\b[^`]*`", TEXT)


def test_no_other_function_is_on_the_page() -> None:
    """Would catch a function that is documented and does not exist."""
    called = set(re.findall(r"\b([a-z_]+)\(", " ".join(re.findall(r"`([^`]+)`", TEXT))))
    assert called <= set(FUNCTIONS)
