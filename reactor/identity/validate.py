"""Which values may be identifiers, and the reasons why others may not.

The reasons are the vendor's, word for word, and one of ours for the length. A value has at
most one: the first that applies, in the order of the constants below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

import msgspec
import re2

from reactor.values import text_fits

MISNAMED: Final = "Key name case does not match a configured key."
EMPTY: Final = "Value is empty."
NOT_TEXT: Final = "Value is not a string."
TOO_LONG: Final = "Value is too long."
NO_MATCH: Final = "Value does not meet the valid_regexp for this key."
IGNORED: Final = "Value is included in invalid_texts for this key."

# Stands for a column that is there and null: an absent one is no failure, a null one is.
NULL: Final = object()

# The name of a key as it came, the value as it came, and the reason.
Failure: TypeAlias = tuple[str, object, str]


class KeyRule(msgspec.Struct, frozen=True):
    """A stitching key. `valid`: an RE2 pattern that is searched for, or None; `invalid`: texts to ignore;
    `internal`: it joins batch rows only, never events."""

    name: str
    valid: str | None = None
    invalid: frozenset[str] = frozenset()
    internal: bool = False


class Validator:
    """The rules of all keys, ready to be asked."""

    __slots__ = ("_by_case", "_limit", "_names", "_rules")

    def __init__(self, keys: Sequence[KeyRule], identifier_bytes: int) -> None:
        self._limit = identifier_bytes
        self._rules = tuple(
            (_searcher(key.valid), key.invalid) if key.valid is not None or key.invalid else None
            for key in keys
        )
        self._names = frozenset(key.name for key in keys)
        self._by_case = frozenset(key.name.lower() for key in keys if not key.internal)

    def reason(self, k: int, value: object) -> str | None:
        """Return why `value` can't be an identifier of the key with index `k`, or None if it can.

        Cost: a tenth of a microsecond without a pattern, four with one.

        >>> rules = Validator([KeyRule("email", "@", frozenset({"a@"}))], identifier_bytes=8)
        >>> rules.reason(0, "a@b") is None
        True
        >>> for value in ("", 7, "long@text", "a", "a@"):
        ...     print(rules.reason(0, value))
        Value is empty.
        Value is not a string.
        Value is too long.
        Value does not meet the valid_regexp for this key.
        Value is included in invalid_texts for this key.
        """
        if not isinstance(value, str):
            return EMPTY if value is NULL else NOT_TEXT
        if not value:
            return EMPTY
        if (len(value) > self._limit or not value.isascii()) and not text_fits(value, self._limit):
            return TOO_LONG if _is_unicode(value) else NOT_TEXT
        rule = self._rules[k]
        if rule is None:
            return None
        search, invalid = rule
        if search is not None and not search(value):
            return NO_MATCH
        return IGNORED if value in invalid else None

    def misnamed(self, names: Iterable[str]) -> list[str]:
        """Return the names that equal a key, other than an internal one, but for their case.

        >>> rules = Validator([KeyRule("email"), KeyRule("id", internal=True)], identifier_bytes=512)
        >>> rules.misnamed(["Email", "email", "ID", "page"])
        ['Email']
        """
        by_case, known = self._by_case, self._names
        return [name for name in names if name not in known and name.lower() in by_case]


def _searcher(pattern: str | None) -> Callable[[str], object] | None:
    if pattern is None:
        return None
    options = re2.Options()
    options.log_errors = False
    # A set of one pattern only says whether it matches; a search makes a match object, six times as slow.
    patterns = re2.Set.SearchSet(options)
    patterns.Add(pattern)
    patterns.Compile()
    matches: Callable[[str], object] = patterns.Match
    return matches


def _is_unicode(text: str) -> bool:
    """Tell whether the text has no lone surrogate: one that has is no text in any encoding."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
