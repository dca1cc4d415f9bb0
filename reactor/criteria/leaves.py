"""What comparisons and functions mean, on values as they are read: three-valued, lists and all.

The slow walk calls these for everything; emitted code calls them where its fast path does not
apply, so that there is one definition. A leaf is a function of raw operands that returns True,
False, or None for unknown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import cache
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final, Protocol, TypeAlias, cast

from reactor.criteria.tree import Target, Type
from reactor.units import MAX_TIME_MS, MIN_TIME_MS, format_time
from reactor.values import (
    INT_MAX,
    INT_MIN,
    as_boolean,
    as_number,
    as_text,
    as_time,
    canonical,
    number_text,
)

Value: TypeAlias = Any
View: TypeAlias = Callable[[object], Value]
Truth: TypeAlias = bool | None
Leaf: TypeAlias = Callable[..., Truth]

# A stitching key's values are the keys of a dict; every other list is a list.
LIST_CLASSES: Final = frozenset({list, dict})
VIEWS: Final[dict[str, View]] = {
    "string": as_text,
    "number": as_number,
    "boolean": as_boolean,
    "timestamp": as_time,
}
_OPS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": eq,
    "<>": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}


def same(value: Value) -> Value:
    """Return the value: the view of an operand whose type is known."""
    return value


class Typed(Protocol):
    """Anything with a type: a node, or its source."""

    @property
    def type(self) -> Type: ...


def view_of(operand: Typed, kind: str) -> View:
    """Return how `operand` is read where its place asks for `kind`."""
    return VIEWS.get(kind, same) if operand.type in ("untyped", "list") else same


def any3(truths: Iterable[Truth]) -> Truth:
    """Return SQL's OR of many.

    >>> any3([False, None]), any3([None, True]), any3([])
    (None, True, False)
    """
    unknown = False
    for truth in truths:
        if truth:
            return True
        unknown = unknown or truth is None
    return None if unknown else False


def all3(truths: Iterable[Truth]) -> Truth:
    """Return SQL's AND of many.

    >>> all3([True, None]), all3([None, False]), all3([])
    (None, False, True)
    """
    unknown = False
    for truth in truths:
        if truth is False:
            return False
        unknown = unknown or truth is None
    return None if unknown else True


def not3(truth: Truth) -> Truth:
    """Return SQL's NOT."""
    return None if truth is None else not truth


def json_equal(left: object, right: object) -> bool:
    """Compare two scalars by their JSON texts: 1 and 1.0 are one value, 1, true and "1" three.

    >>> json_equal(1, 1.0), json_equal(1, True), json_equal(1, "1")
    (True, False, False)
    """
    if left.__class__ is right.__class__:
        return left == right
    if isinstance(left, bool | str) or isinstance(right, bool | str):
        return False
    return number_text(cast(float, left)) == number_text(cast(float, right))


def _json_differ(left: object, right: object) -> bool:
    return not json_equal(left, right)


@cache
def comparison(op: str, kind: str, left_view: View = same, right_view: View = same) -> Leaf:
    """Return `left op right` as a leaf. With a list on one side: of any of its elements."""
    scalar = _scalar_comparison(op, kind)

    def compare(left: object, right: object) -> Truth:
        if left.__class__ in LIST_CLASSES:
            if right.__class__ in LIST_CLASSES:
                return None
            other = right_view(right)
            return any3(scalar(left_view(element), other) for element in cast("list[object]", left))
        if right.__class__ in LIST_CLASSES:
            other = left_view(left)
            return any3(scalar(other, right_view(element)) for element in cast("list[object]", right))
        return scalar(left_view(left), right_view(right))

    return compare


def _scalar_comparison(op: str, kind: str) -> Leaf:
    equal = json_equal if kind == "json" else eq
    differ = _json_differ if kind == "json" else ne
    if op == "is distinct from":
        return lambda left, right: left is not right if left is None or right is None else differ(left, right)
    if op == "is not distinct from":
        return lambda left, right: left is right if left is None or right is None else equal(left, right)
    plain = equal if op == "=" else differ if op == "<>" else _OPS[op]
    return lambda left, right: None if left is None or right is None else plain(left, right)


@cache
def between(kind: str, subject_view: View, low_view: View, high_view: View) -> Leaf:
    """Return `subject BETWEEN low AND high` as a leaf; a bound that is a list is NULL."""

    def scalar(value: Value, low: Value, high: Value) -> Truth:
        if value is None:
            return None
        return all3((None if low is None else low <= value, None if high is None else value <= high))

    def inside(subject: object, low: object, high: object) -> Truth:
        bottom = None if low.__class__ in LIST_CLASSES else low_view(low)
        top = None if high.__class__ in LIST_CLASSES else high_view(high)
        if subject.__class__ in LIST_CLASSES:
            return any3(
                scalar(subject_view(element), bottom, top) for element in cast("list[object]", subject)
            )
        return scalar(subject_view(subject), bottom, top)

    return inside


def text_leaf(matches: Callable[[str], bool], view: View) -> Leaf:
    """Return a test of text (LIKE, regexp_like) as a leaf."""

    def scalar(value: str | None) -> Truth:
        return None if value is None else matches(value)

    def test(subject: object) -> Truth:
        if subject.__class__ in LIST_CLASSES:
            return any3(scalar(view(element)) for element in cast("list[object]", subject))
        return scalar(view(subject))

    return test


@cache
def prefix_leaf(subject_view: View, prefix_view: View) -> Leaf:
    """Return `starts_with(subject, prefix)` as a leaf; a prefix that is a list is NULL."""

    def scalar(value: str | None, prefix: str | None) -> Truth:
        return None if value is None or prefix is None else value.startswith(prefix)

    def test(subject: object, prefix: object) -> Truth:
        start = None if prefix.__class__ in LIST_CLASSES else prefix_view(prefix)
        if subject.__class__ in LIST_CLASSES:
            return any3(scalar(subject_view(element), start) for element in cast("list[object]", subject))
        return scalar(subject_view(subject), start)

    return test


@cache
def membership(kind: str, items_view: View, item_view: View) -> Leaf:
    """Return `contains(items, item)` as a leaf: true or false, NULL when either is NULL."""
    equal = json_equal if kind == "json" else eq

    def contains(items: object, item: object) -> Truth:
        if items is None or item.__class__ in LIST_CLASSES:
            return None
        wanted = item_view(item)
        if wanted is None:
            return None
        elements = cast("list[object]", items) if items.__class__ in LIST_CLASSES else [items]
        if kind == "json" and wanted.__class__ is str:  # it equals nothing but a text that is the same
            return wanted in elements
        return any(
            (value := items_view(element)) is not None and equal(value, wanted) for element in elements
        )

    return contains


# Scalar functions. Arguments are never None.


def finite(number: float) -> float | None:
    """Return the number, or None if it is not finite.

    >>> finite(1e308 * 10), finite(2.0)
    (None, 2.0)
    """
    return number if number - number == 0 else None


def divide(left: float, right: float) -> float | None:
    """Return `left / right` in doubles; None for a divisor of 0."""
    return finite(float(left) / right) if right else None


def remainder(left: float, right: float) -> float | None:
    """Return `left % right` in doubles, with the sign of `left`; None for a divisor of 0.

    >>> remainder(-7, 3), remainder(1, 0)
    (-1.0, None)
    """
    return math.fmod(left, right) if right else None


ARITHMETIC: Final[dict[str, Callable[[float, float], float | None]]] = {
    "+": lambda left, right: finite(float(left) + right),
    "-": lambda left, right: finite(float(left) - right),
    "*": lambda left, right: finite(float(left) * right),
    "/": divide,
    "%": remainder,
}


def round_half_away(number: float, digits: int) -> float:
    """Round to `digits` decimal places, ties away from zero on number * 10**digits in doubles.

    >>> round_half_away(2.5, 0), round_half_away(-2.5, 0), round_half_away(2.675, 2)
    (3.0, -3.0, 2.68)
    """
    scale = 10.0**digits
    scaled = abs(number * scale)
    if scaled >= 2.0**52:  # it has no fraction, or is not finite
        result = number * scale / scale
        return result if result - result == 0 else float(number)
    whole = math.floor(scaled)
    whole += scaled - whole >= 0.5
    return math.copysign(whole / scale, number)


def shift(moment_ms: int, by_ms: int) -> int | None:
    """Return a time moved by an interval; None outside the years 1 to 9999."""
    moved = moment_ms + by_ms
    return moved if MIN_TIME_MS <= moved <= MAX_TIME_MS else None


def trim(text: str) -> str:
    """Return the text without U+0020 at its ends: SQL's default, which leaves tabs."""
    return text.strip(" ")


def cardinality(value: object) -> int | None:
    """Return the number of elements; 1 for a scalar, None for NULL."""
    if value.__class__ in LIST_CLASSES:
        return len(cast("list[object]", value))
    return None if value is None else 1


def _to_whole(low: int, high: int) -> Callable[[object], int | None]:
    def to_whole(value: object) -> int | None:
        number = as_number(value)
        if number is None:
            return None
        whole = round(number)  # ties to even, as DuckDB
        return whole if low <= whole <= high else None

    return to_whole


def to_double(value: object) -> float | None:
    """Cast to a double."""
    number = as_number(value)
    return None if number is None else float(number)


def to_time(value: object) -> int | None:
    """Cast to a timestamp: ISO 8601 text, or epoch seconds."""
    return None if value.__class__ in LIST_CLASSES else as_time(value)


def time_to_text(value: object) -> str | None:
    """Cast a timestamp to text."""
    return None if value is None else format_time(cast(int, value))


_CASTS: Final[dict[Target, View]] = {
    "boolean": as_boolean,
    "bigint": _to_whole(INT_MIN, INT_MAX),
    "integer": _to_whole(-(2**31), 2**31 - 1),
    "double": to_double,
    "varchar": as_text,
    "timestamp": to_time,
}


def caster(target: Target, from_type: str) -> View:
    """Return how a value of `from_type` is cast to `target`."""
    if from_type == "timestamp":
        return time_to_text if target == "varchar" else same
    return _CASTS[target]


def payload_number(number: float | None) -> int | float | None:
    """Return the one form of a number that an expression as a whole comes to."""
    return None if number is None else canonical(number)
