"""Comparisons and logic over columns: SQL's three values as two masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reactor.replay.columns.column import (
    Coded,
    Column,
    Lists,
    Mask,
    Numbers,
    Truths,
    as_boolean,
    as_coded,
    as_number,
    as_text,
    as_time,
    doubles,
)
from reactor.values import number_text

Sides: TypeAlias = tuple[NDArray[Any], NDArray[Any]]

_READ: Final[Mapping[str, Callable[[Column], Column]]] = {
    "string": as_text,
    "number": as_number,
    "boolean": as_boolean,
    "timestamp": as_time,
}
_OPS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "=": np.equal,
    "<>": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "is distinct from": np.not_equal,
    "is not distinct from": np.equal,
}


def all_of(columns: Sequence[Truths]) -> Truths:
    """Return SQL's AND of many."""
    true, false = columns[0].true, columns[0].false
    for column in columns[1:]:
        true, false = true & column.true, false | column.false
    return Truths(true, false)


def any_of(columns: Sequence[Truths]) -> Truths:
    """Return SQL's OR of many."""
    true, false = columns[0].true, columns[0].false
    for column in columns[1:]:
        true, false = true | column.true, false & column.false
    return Truths(true, false)


def certain(mask: Mask) -> Truths:
    """Return truth values of which none is unknown."""
    return Truths(mask, ~mask)


def has_lists(column: Column) -> bool:
    """Tell whether a value of the column is a list."""
    if isinstance(column, Coded):
        return any(value.__class__ is list for value in column.values)
    return isinstance(column, Lists)


def read_as(column: Column, kind: str, *, typed: bool) -> Column:
    """Return the values as what they are compared as; a value whose type is known is as it is."""
    return column if typed or kind not in _READ else _READ[kind](column)


def compare(op: str, kind: str, left: Column, right: Column) -> Truths | None:
    """Return `left op right` of scalars of a kind, row by row; None where that has no vector form."""
    sides = _sides(kind, left, right)
    if sides is None:
        return None
    with np.errstate(invalid="ignore"):
        found: Mask = _OPS[op](*sides)
    if op.startswith("is "):
        return certain(_with_nulls(op, found, left.null(), right.null()))
    nulls = _either(left, right)
    return certain(found) if nulls is None else Truths(found & ~nulls, ~(found | nulls))


def _with_nulls(op: str, found: Mask, left: Mask, right: Mask) -> Mask:
    is_differing = op == "is distinct from"
    result: Mask = np.where(left | right, (left != right) == is_differing, found)
    return result


def _either(left: Column, right: Column) -> Mask | None:
    """Return where a side is NULL; None for nowhere."""
    if isinstance(left, Numbers) and left.nulls is None:
        return right.nulls if isinstance(right, Numbers) else right.null()
    if isinstance(right, Numbers) and right.nulls is None:
        return left.null()
    return left.null() | right.null()


def _sides(kind: str, left: Column, right: Column) -> Sides | None:
    """Return arrays that compare as the values of a kind do."""
    if kind == "number":
        one, other = doubles(left), doubles(right)
        return None if one is None or other is None else (one, other)
    if kind == "boolean":
        return as_boolean(left).true, as_boolean(right).true
    if isinstance(left, Numbers) and isinstance(right, Numbers):
        if kind == "json":
            return _sides("number", left, right)
        return left.data, right.data
    return _ranks(as_coded(left), as_coded(right), is_json=kind == "json")


def _ranks(left: Coded, right: Coded, *, is_json: bool) -> Sides:
    """Return for each row the place of its text among all texts, or a number for each JSON text."""
    keys = [[_json_key(value) if is_json else value for value in side.values] for side in (left, right)]
    places = {key: place for place, key in enumerate(sorted({*keys[0], *keys[1]}))}
    tables = [np.array([*(places[key] for key in side), -1], dtype=np.int64) for side in keys]
    return tables[0][left.codes], tables[1][right.codes]


def contained(
    kind: str, lists: Lists, item: Coded, views: tuple[Callable[[Any], Any], Callable[[Any], Any]]
) -> Truths | None:
    """Return `contains(lists, item)`, row by row, without making a list; None where that has no form.

    views: how an element and an item are read. As `reactor.criteria.leaves.membership`.
    """
    elements = lists.source.elements
    if any(element.__class__ is list for element in elements):
        return None
    element_view, item_view = views
    read = [element_view(element) for element in elements]
    asked = [None if value.__class__ is list else item_view(value) for value in item.values]
    if kind == "json":
        read, asked = ([None if each is None else _json_key(each) for each in side] for side in (read, asked))
    known = {key: label for label, key in enumerate(dict.fromkeys(read)) if key is not None}
    labels = np.array([known.get(key, -1) for key in read], dtype=np.int64)
    wanted = np.array([*(known.get(key, -1) for key in asked), -1], dtype=np.int64)
    nulls = np.array([*(key is None for key in asked), True], dtype=np.bool_)[item.codes]
    found = lists.source.holding(labels, wanted[item.codes], lists.rows)
    return Truths(found, ~(found | nulls))


def _json_key(value: Any) -> tuple[str, str]:
    """Return what is equal for scalars of one JSON text."""
    if value.__class__ is str:
        return ("text", value)
    return ("boolean", str(value)) if value.__class__ is bool else ("number", number_text(value))
