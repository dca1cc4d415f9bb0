"""LIKE: patterns to tests of text that take linear time."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec
import re2

MANY: Final = -1
ONE: Final = -2


class LikeError(ValueError):
    """A pattern or its escape can't be used. offset: where in the pattern."""


class Shape(msgspec.Struct, frozen=True):
    """A pattern of literals with `%` between them: head % middle % … % tail.

    exact: there is no `%`, and `head` is the whole.
    """

    head: str
    middles: tuple[str, ...]
    tail: str
    exact: bool


def parts(pattern: str, escape: str) -> list[str | int]:
    """Return the literals, ONEs and MANYs of a pattern. Raises LikeError.

    >>> parts("a!%%_", "!")
    ['a%', -1, -2]
    """
    if escape and len(escape) != 1:
        raise LikeError(f"expected one character after ESCAPE, got {len(escape)}")
    found: list[str | int] = []
    characters = iter(pattern)
    for character in characters:
        wild = {"%": MANY, "_": ONE}.get(character)
        if escape and character == escape:
            wild = None
            character = next(characters, "")
            if character not in ("%", "_", escape) or not character:
                raise LikeError("expected %, _ or itself after the escape character")
        if wild is not None:
            if not (wild == MANY and found and found[-1] == MANY):
                found.append(wild)
        elif found and isinstance(found[-1], str):
            found[-1] += character
        else:
            found.append(character)
    return found


def shape(pattern: str, escape: str) -> Shape | None:
    """Return the pattern as literals between `%`; None if it has a `_`."""
    found = parts(pattern, escape)
    if ONE in found:
        return None
    head = found[0] if found and isinstance(found[0], str) else ""
    tail = found[-1] if len(found) > 1 and isinstance(found[-1], str) else ""
    middles = [part for part in found[1:-1] if isinstance(part, str)]
    return Shape(head, tuple(middles), tail, MANY not in found)


@lru_cache(maxsize=1_024)
def matcher(pattern: str, escape: str) -> Callable[[str], bool]:
    """Return a function that tells whether a text is LIKE the pattern.

    >>> matcher("/retail/%/product", "")("/retail/shoes/product")
    True
    """
    plain = shape(pattern, escape)
    if plain is None:
        return _by_re2(parts(pattern, escape))
    head, middles, tail = plain.head, plain.middles, plain.tail
    if plain.exact:
        return lambda text: text == head
    shortest = len(head) + len(tail)

    def matches(text: str) -> bool:
        end = len(text) - len(tail)
        if len(text) < shortest or not (text.startswith(head) and text.endswith(tail)):
            return False
        place = len(head)
        for middle in middles:
            found = text.find(middle, place, end)
            if found < 0:
                return False
            place = found + len(middle)
        return True

    return matches


def _by_re2(found: list[str | int]) -> Callable[[str], bool]:
    translated = {MANY: ".*", ONE: "."}
    source = "".join(re2.escape(part) if isinstance(part, str) else translated[part] for part in found)
    options = re2.Options()
    options.dot_nl = True
    options.never_capture = True
    options.log_errors = False
    fullmatch = re2.compile(source, options).fullmatch

    def matches(text: str) -> bool:
        try:
            return fullmatch(text) is not None
        except UnicodeEncodeError:
            return False

    return matches
