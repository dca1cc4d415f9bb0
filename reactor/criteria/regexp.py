"""regexp_like: RE2 says what a pattern means and whether it is allowed.

RE2 takes 4 µs from Python, so a pattern made only of literals, `^`, `$` and `.*` runs as
`startswith`, `endswith` and `find`, and the answers for any other are remembered for the
latest 1,024 texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec
import re2

MEMO_TEXTS: Final = 1_024
MEMO_CHARACTERS: Final = 4_096  # longer texts, which only an expression can make, are not remembered

_GAP = re.compile(r"\.\*\??(?![*+?{])")
_LITERAL = re.compile(r"\\([!-/:-@\[-^`{-~])|[^.\[\]()*+?{}|\\^$\n]")

# What a construct is called, for those that RE2 has not, because they can't be had in linear time.
_CONSTRUCTS: Final = (
    (re.compile(r"\(\?="), "a look-ahead (?=…)"),
    (re.compile(r"\(\?!"), "a negative look-ahead (?!…)"),
    (re.compile(r"\(\?<="), "a look-behind (?<=…)"),
    (re.compile(r"\(\?<!"), "a negative look-behind (?<!…)"),
    (re.compile(r"\(\?>"), "an atomic group (?>…)"),
    (re.compile(r"\(\?#"), "a comment (?#…)"),
    (re.compile(r"\(\?\("), "a conditional (?(…)…)"),
    (re.compile(r"\(\?P="), "a back-reference (?P=…)"),
    (re.compile(r"\(\?(R|\d|&|P>)"), "a recursion (?R)"),
    (re.compile(r"\\k[<{']"), r"a back-reference \k<…>"),
    (re.compile(r"\\[1-9]"), "a back-reference {0}"),
    (re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})\+"), "a possessive repetition {0}"),
    (re.compile(r"\\[ZGKRXhHuUYyNcelLE]"), "the escape {0}"),
)
_SKIP = re.compile(r"\\Q.*?(?:\\E|\Z)|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]|\\.|.", re.DOTALL)


class RegexpError(ValueError):
    """RE2 can't run the pattern. The message names the construct."""


class Simple(msgspec.Struct, frozen=True):
    """A pattern of literals with `.*` between them.

    start, end: whether it is anchored there. literals: at least one; "" at an end where `.*` stands.
    """

    literals: tuple[str, ...]
    start: bool
    end: bool


def check(pattern: str) -> None:
    """Refuse what RE2 can't run. Raises RegexpError.

    >>> check("a(?=b)")
    Traceback (most recent call last):
    reactor.criteria.regexp.RegexpError: RE2 has no look-ahead (?=…)
    """
    problem = _problem(pattern)
    if problem is not None:
        construct = _construct(pattern)
        if construct is not None:
            article, _, rest = construct.partition(" ")
            problem = f"RE2 has no {rest}" if article in ("a", "an") else f"RE2 has not {construct}"
        raise RegexpError(problem)


def _problem(pattern: str) -> str | None:
    try:
        _compiled(pattern)
    except re2.error as error:
        told = error.args[0] if error.args else b""
        text = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
        return f"RE2 can't run it: {text}"
    except UnicodeEncodeError:
        return "it has a lone surrogate"
    return None


def _construct(pattern: str) -> str | None:
    """Return the name of the first construct RE2 has not, outside of classes and quoted parts."""
    place = 0
    while place < len(pattern):
        for probe, name in _CONSTRUCTS:
            match = probe.match(pattern, place)
            if match is not None:
                return name.format(match[0])
        skipped = _SKIP.match(pattern, place)
        place = skipped.end() if skipped is not None else place + 1
    return None


def _compiled(pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.never_capture = True
    options.log_errors = False
    return re2.compile(pattern, options)


@lru_cache(maxsize=1_024)
def simple(pattern: str) -> Simple | None:
    """Return the pattern as literals and gaps; None if it has anything else.

    >>> simple("^/retail/.*/product/")
    Simple(literals=('/retail/', '/product/'), start=True, end=False)
    """
    start = pattern.startswith("^")
    place = int(start)
    literals = [""]
    end = False
    while place < len(pattern):
        gap = _GAP.match(pattern, place)
        literal = _LITERAL.match(pattern, place)
        if gap is not None:
            literals.append("")
            place = gap.end()
        elif literal is not None and pattern[literal.end() : literal.end() + 1] not in ("*", "+", "?", "{"):
            literals[-1] += literal[1] or literal[0]
            place = literal.end()
        elif pattern[place:] == "$":
            end = True
            place += 1
        else:
            return None
    return _trimmed(literals, start, end)


def _trimmed(literals: list[str], start: bool, end: bool) -> Simple | None:
    """Drop the gaps that change nothing: at an open end, and one after another."""
    middle = [literal for literal in literals[1:-1] if literal]
    kept = [literals[0], *middle, *literals[1:][-1:]]
    if not end and len(kept) > 1 and not kept[-1]:
        kept = kept[:-1]
    if not start and len(kept) > 1 and not kept[0]:
        kept = kept[1:]
    return Simple(tuple(kept), start, end)


@lru_cache(maxsize=1_024)
def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a function that tells whether a text has a match of the pattern. Linear in the text.

    >>> matcher("o+k$")("book"), matcher("^/retail/.*/product/")("/retail/shoes/product/1")
    (True, True)
    """
    plain = simple(pattern)
    if plain is None:
        return _remembering(by_re2(pattern))
    literals, start, end = plain.literals, plain.start, plain.end
    if len(literals) == 1:
        return _one(literals[0], start, end)
    return _anchored(literals, end) if start else _floating(literals, end, by_re2(pattern))


def _remembering(matches: Callable[[str], bool]) -> Callable[[str], bool]:
    """Return the function with its answers for the latest texts remembered, in bounded room."""
    known = lru_cache(maxsize=MEMO_TEXTS)(matches)
    return lambda text: known(text) if len(text) <= MEMO_CHARACTERS else matches(text)


def by_re2(pattern: str) -> Callable[[str], bool]:
    """Return the test by RE2 itself: what `matcher` must agree with."""
    search = _compiled(pattern).search

    def matches(text: str) -> bool:
        try:
            return search(text) is not None
        except UnicodeEncodeError:
            return False

    return matches


def _one(literal: str, start: bool, end: bool) -> Callable[[str], bool]:
    if start and end:
        return lambda text: text == literal
    if start:
        return lambda text: text.startswith(literal)
    if end:
        return lambda text: text.endswith(literal)
    return lambda text: literal in text


def _anchored(literals: tuple[str, ...], end: bool) -> Callable[[str], bool]:
    """A pattern that begins with `^`. The first place of each literal is the best one.

    A later place only lengthens the gap before it, which no newline may be in, and a literal
    holds none itself.
    """
    head, *rest = literals
    tail = rest.pop() if end else ""

    def matches(text: str) -> bool:
        if not text.startswith(head):
            return False
        place = len(head)
        for literal in rest:
            found = text.find(literal, place)
            if found < 0 or text.find("\n", place, found) >= 0:
                return False
            place = found + len(literal)
        if not end:
            return True
        last = len(text) - len(tail)
        return place <= last and text.endswith(tail) and text.find("\n", place, last) < 0

    return matches


def _floating(literals: tuple[str, ...], end: bool, slow: Callable[[str], bool]) -> Callable[[str], bool]:
    """A pattern that may begin anywhere: with a newline in the text, the first place may not be the best."""
    head, *rest = literals
    anchored = _anchored(("", *rest), end)

    def matches(text: str) -> bool:
        if "\n" in text:
            return slow(text)
        place = text.find(head)
        return place >= 0 and anchored(text[place + len(head) :])

    return matches
