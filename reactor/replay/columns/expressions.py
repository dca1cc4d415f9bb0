"""Criteria over columns: the third form of the one meaning that the slow walk defines.

Numbers, times, comparisons and logic run in numpy; functions of text once a distinct value. What
has no vector form (lists against columns, whole numbers that no double holds) goes through the
functions of the slow walk, once for each combination of values that occurs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reactor.criteria.leaves import (
    any3,
    cardinality,
    caster,
    comparison,
    view_of,
)
from reactor.criteria.tree import (
    And,
    Arith,
    As,
    Between,
    Call,
    Cardinality,
    Case,
    Cast,
    Coalesce,
    Compare,
    Const,
    Contains,
    Expression,
    Extreme,
    In,
    IsNull,
    IsTruth,
    Kind,
    Like,
    Node,
    Not,
    Nullif,
    Or,
    Ref,
    Regexp,
    Shift,
    Since,
    StartsWith,
    Target,
    Truth,
)
from reactor.criteria.walk import FUNCTIONS, leaf_of
from reactor.replay.columns.column import (
    Coded,
    Column,
    Lists,
    Mask,
    Numbers,
    Rows,
    Truths,
    as_boolean,
    as_coded,
    column_of,
    combined,
    concatenate,
    doubles,
    numbered,
    repeated,
)
from reactor.replay.columns.compare import all_of, any_of, certain, compare, contained, has_lists, read_as
from reactor.replay.columns.ordering import order_of
from reactor.units import MAX_TIME_MS, MIN_TIME_MS
from reactor.values import EXACT, canonical

Read: TypeAlias = Callable[[Ref], Column]


def evaluate(expression: Expression, read: Read, count: int) -> Column:
    """Return what an expression comes to in each of `count` rows.

    read: gives the column of a name; asked once for each that is needed.
    A number is in its one form; a name alone is as read.

    >>> from reactor.criteria import Name, Scope, compile_expression
    >>> from reactor.replay.columns.column import coded
    >>> scope = Scope(names={"tier": Name("string")})
    >>> expression = compile_expression("tier LIKE 'g%'", scope, "condition")
    >>> evaluate(expression, lambda ref: coded(["gold", None, "iron"]), 3).tolist()
    [True, None, False]
    """
    with np.errstate(all="ignore"):
        return _of(expression.root, _Frame(read, count))


def holds(expression: Expression, read: Read, count: int) -> Mask:
    """Return in which of `count` rows a condition is true."""
    found = evaluate(expression, read, count)
    return as_boolean(found).true


class _Frame:
    """The rows an expression is evaluated for, and what has been read of them."""

    def __init__(self, read: Read, count: int) -> None:
        self.count = count
        self._read = read
        self._known: dict[Ref, Column] = {}

    def read(self, ref: Ref) -> Column:
        """Return the column of a name."""
        known = self._known.get(ref)
        if known is None:
            known = self._known[ref] = typed(self._read(ref), ref.type)
        return known

    def take(self, rows: Rows) -> _Frame:
        """Return these rows alone."""
        return _Frame(lambda ref: self.read(ref).take(rows), len(rows))


def typed(column: Column, kind: str) -> Column:
    """Return a column as the class its type asks for.

    kind: as in `reactor.criteria.tree.Type`; the values are of it.
    """
    if not isinstance(column, Coded):
        return column
    if kind == "number":
        return numbered(column)
    if kind == "boolean":
        return as_boolean(column)
    if kind in ("timestamp", "interval"):
        data = np.array([*column.values, 0], dtype=np.int64)[column.codes]
        return Numbers(data, _some(column.codes < 0))
    return column


def _of(node: Node, frame: _Frame) -> Column:
    return _MEANINGS[type(node)](node, frame)


def _truths(node: Node, frame: _Frame) -> Truths:
    return as_boolean(_of(node, frame))


def _some(nulls: Mask) -> Mask | None:
    return nulls if nulls.any() else None


# What has no vector form


def _each(
    function: Callable[..., Any], nodes: Sequence[Node], columns: Sequence[Column], kind: str
) -> Column:
    """Return what a function of values comes to, called once for each combination that occurs.

    nodes: what the columns are of; constants stand where they are. kind: the type of the result.
    """
    varying = [place for place, node in enumerate(nodes) if not isinstance(node, Const)]
    constants = [node.value if isinstance(node, Const) else None for node in nodes]

    def call(values: Sequence[Any]) -> Any:
        arguments = constants.copy()
        for place, value in zip(varying, values, strict=True):
            arguments[place] = value
        return function(*arguments)

    if not varying:
        rows = np.zeros(len(columns[0]), dtype=np.int64)
        found: list[Any] = [call(())]
    elif len(varying) == 1:
        column = as_coded(columns[varying[0]])
        rows = column.codes.astype(np.int64) % (len(column.values) + 1)
        found = [call((value,)) for value in (*column.values, None)]
    else:
        of = [columns[place] for place in varying]
        rows, first = combined(of)
        found = [call(values) for values in zip(*(column.take(first).tolist() for column in of), strict=True)]
    return _result(found, kind).take(rows)


def _result(found: Sequence[Any], kind: str) -> Column:
    if kind != "number":
        return column_of(found, kind)
    return column_of([value if value is None else canonical(value) for value in found], kind)


def _values(nodes: Sequence[Node], frame: _Frame) -> list[Column]:
    return [_of(node, frame) for node in nodes]


# Names and constants


def _const(node: Const, frame: _Frame) -> Column:
    value, count = node.value, frame.count
    if value is None or node.type not in ("number", "boolean", "timestamp", "interval"):
        return typed(repeated(value, count), node.type)
    if node.type == "boolean":
        return certain(np.full(count, value, dtype=np.bool_))
    assert isinstance(value, int | float)
    if node.type != "number":
        return Numbers(np.full(count, value, dtype=np.int64))
    if isinstance(value, int) and not -EXACT < value < EXACT:
        return repeated(value, count)
    return Numbers(np.full(count, value, dtype=np.float64))


def _ref(node: Ref, frame: _Frame) -> Column:
    return frame.read(node)


def _as(node: As, frame: _Frame) -> Column:
    return read_as(_of(node.operand, frame), node.type, typed=False)


# Numbers and times


def _floats(column: Column) -> tuple[NDArray[np.float64], Mask]:
    """Return a number column in doubles, rounded where that is not exact, and where it is NULL."""
    data = doubles(column)
    if data is None:
        found = as_coded(column)
        data = np.array([*map(float, found.values), 0.0])[found.codes]
    return data, column.null()


def _milliseconds(column: Column) -> NDArray[np.int64]:
    """Return a column of times or intervals; a literal has 9 digits, so that sums stay in 64 bits."""
    assert isinstance(column, Numbers)
    return column.data


def _arith(node: Arith, frame: _Frame) -> Column:
    left, left_null = _floats(_of(node.left, frame))
    right, right_null = _floats(_of(node.right, frame))
    data = _ARITHMETIC[node.op](left, right)
    return Numbers(data, _some(left_null | right_null | ~np.isfinite(data)))


def _quotient(left: Any, right: Any) -> Any:
    return np.where(right == 0, np.nan, left / right)


_ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": _quotient,
    "%": np.fmod,  # NaN for a divisor of 0
}


def _shift(node: Shift, frame: _Frame) -> Column:
    moment, by = _of(node.moment, frame), _of(node.by, frame)
    moved = _milliseconds(moment) + node.sign * _milliseconds(by)
    is_out = (moved < MIN_TIME_MS) | (moved > MAX_TIME_MS)
    return Numbers(moved, _some(moment.null() | by.null() | is_out))


def _since(node: Since, frame: _Frame) -> Column:
    left, right = _of(node.left, frame), _of(node.right, frame)
    return Numbers(_milliseconds(left) - _milliseconds(right), _some(left.null() | right.null()))


def _call(node: Call, frame: _Frame) -> Column:
    columns = _values(node.args, frame)
    if node.name in ("neg", "abs", "round"):
        data, nulls = _floats(columns[0])
        if node.name == "round":
            return Numbers(_rounded(data, node.digits), _some(nulls))
        return Numbers(-data if node.name == "neg" else np.abs(data), _some(nulls))
    function = FUNCTIONS[node.name]

    def call(*values: Any) -> Any:
        return None if None in values else function(*values)

    return _each(call, node.args, columns, node.type)


def _rounded(data: NDArray[np.float64], digits: int) -> NDArray[np.float64]:
    """Round as `reactor.criteria.leaves.round_half_away`, step by step."""
    scale = 10.0**digits
    moved = data * scale
    scaled = np.abs(moved)
    whole = np.floor(scaled)
    whole += scaled - whole >= 0.5
    large = moved / scale
    large = np.where(np.isfinite(large), large, data)
    return np.where(scaled >= 2.0**52, large, np.copysign(whole / scale, data))


def _extreme(node: Extreme, frame: _Frame) -> Column:
    columns = _values(node.args, frame)
    choice: Any = max if node.name == "greatest" else min
    known = [column.data for column in columns if isinstance(column, Numbers)]
    if node.type == "number":
        known = [data for column in columns if (data := doubles(column)) is not None]
    if len(known) < len(columns):
        return _each(
            lambda *values: None if None in values else choice(values), node.args, columns, node.type
        )
    nulls = np.logical_or.reduce([column.null() for column in columns])
    choose = np.maximum if node.name == "greatest" else np.minimum
    return Numbers(choose.reduce(known), _some(nulls))


def _cast(node: Cast, frame: _Frame) -> Column:
    column, is_time = _of(node.operand, frame), node.operand.type == "timestamp"
    if is_time and node.target != "varchar":
        return column
    data = None if is_time else doubles(column)
    if data is not None and node.type == "number":
        found = _cast_number(data, column.null(), node.target)
        if found is not None:
            return found
    return _each(caster(node.target, node.operand.type), (node.operand,), (column,), node.type)


def _cast_number(data: NDArray[np.float64], nulls: Mask, target: Target) -> Numbers | None:
    """Return doubles cast to a number type; None where a whole number is beyond 2^53."""
    if target == "double":
        return Numbers(data, _some(nulls))
    whole = np.rint(data)  # ties to even
    if target == "integer":
        is_out = ~((whole >= -(2.0**31)) & (whole < 2.0**31)) & ~nulls
    else:
        is_out = ~(np.abs(whole) < EXACT) & ~nulls
        if is_out.any():
            return None
    return Numbers(np.where(is_out | nulls, 0.0, whole), _some(nulls | is_out))


def _cardinality(node: Cardinality, frame: _Frame) -> Column:
    column = _of(node.operand, frame)
    if isinstance(column, Lists):
        return Numbers(column.source.sizes(column.rows))
    return _each(cardinality, (node.operand,), (column,), "number")


# Choice


def _case(node: Case, frame: _Frame) -> Column:
    rows = np.arange(frame.count)
    parts: list[tuple[Rows, Column]] = []
    for place, (test, value) in enumerate(node.branches):
        if not len(rows):
            break
        here = frame.take(rows)
        if node.subject is None:
            hit = _truths(test, here).true
        else:
            hit = _compared("=", node.kinds[place], node.subject, test, here).true
        if hit.any():
            taken = rows[hit]
            parts.append((taken, _of(value, frame.take(taken))))
            rows = rows[~hit]
    if len(rows) or not parts:
        parts.append((rows, _of(node.default, frame.take(rows))))
    return _gathered(parts, node.type)


def _coalesce(node: Coalesce, frame: _Frame) -> Column:
    rows = np.arange(frame.count)
    parts: list[tuple[Rows, Column]] = []
    for arg in node.args[:-1]:
        column = _of(arg, frame.take(rows) if parts else frame)
        nulls = column.null()
        if not nulls.any():
            return _gathered([*parts, (rows, column)], node.type)
        parts.append((rows[~nulls], column.take(~nulls)))
        rows = rows[nulls]
    parts.append((rows, _of(node.args[-1], frame.take(rows))))
    return _gathered(parts, node.type)


def _gathered(parts: Sequence[tuple[Rows, Column]], kind: str) -> Column:
    """Return one column of parts, each of which holds some of the rows."""
    if len(parts) == 1:
        return typed(parts[0][1], kind)
    order = order_of(np.concatenate([rows for rows, _ in parts]))
    return typed(concatenate([column for _, column in parts]), kind).take(order)


def _nullif(node: Nullif, frame: _Frame) -> Column:
    left, right = _of(node.left, frame), _of(node.right, frame)
    equal = _same_kind("=", node.kind, (node.left, node.right), (left, right)).true
    if isinstance(left, Truths):
        return Truths(left.true & ~equal, left.false & ~equal)
    if isinstance(left, Numbers):
        return Numbers(left.data, _some(left.null() | equal))
    values = as_coded(left)
    return Coded(np.where(equal, np.int32(-1), values.codes), values.values)


# Conditions


def _truth(node: Truth, frame: _Frame) -> Column:
    return _truths(node.operand, frame)


def _and(node: And, frame: _Frame) -> Column:
    return _narrowing(node.args, frame, is_and=True)


def _or(node: Or, frame: _Frame) -> Column:
    return _narrowing(node.args, frame, is_and=False)


def _narrowing(args: Sequence[Node], frame: _Frame, *, is_and: bool) -> Column:
    """Return AND or OR; what is decided by half of the rows or more is not evaluated further there."""
    found = _truths(args[0], frame)
    for place, arg in enumerate(args[1:], 1):
        open_rows = np.flatnonzero(~(found.false if is_and else found.true))
        if not len(open_rows):
            return found
        if 2 * len(open_rows) > frame.count:
            found = (all_of if is_and else any_of)([found, _truths(arg, frame)])
            continue
        rest = as_boolean(_narrowing(args[place:], frame.take(open_rows), is_and=is_and))
        rest = (all_of if is_and else any_of)([found.take(open_rows), rest])
        true, false = found.true.copy(), found.false.copy()
        true[open_rows], false[open_rows] = rest.true, rest.false
        return Truths(true, false)
    return found


def _not(node: Not, frame: _Frame) -> Column:
    found = _truths(node.arg, frame)
    return Truths(found.false, found.true)


def _is_truth(node: IsTruth, frame: _Frame) -> Column:
    found = _truths(node.arg, frame)
    return certain(found.true if node.wanted else found.false)


def _is_null(node: IsNull, frame: _Frame) -> Column:
    return certain(_of(node.arg, frame).null())


def _compare(node: Compare, frame: _Frame) -> Column:
    return _compared(node.op, node.kind, node.left, node.right, frame)


def _compared(op: str, kind: Kind, left: Node, right: Node, frame: _Frame) -> Truths:
    """Return a comparison of two operands, each read as the kind if it is untyped."""
    columns = _values((left, right), frame)
    if any(isinstance(node, Const) for node in (left, right)) and any(
        isinstance(column, Coded) for column in columns
    ):
        scalar = comparison(op, kind, view_of(left, kind), view_of(right, kind))
        return as_boolean(_each(scalar, (left, right), columns, "boolean"))
    return _same_kind(op, kind, (left, right), columns)


def _same_kind(op: str, kind: Kind, nodes: Sequence[Node], columns: Sequence[Column]) -> Truths:
    if not any(has_lists(column) for column in columns):
        sides = [
            read_as(column, kind, typed=node.type not in ("untyped", "list"))
            for node, column in zip(nodes, columns, strict=True)
        ]
        found = compare(op, kind, *sides)
        if found is not None:
            return found
    scalar = comparison(op, kind, view_of(nodes[0], kind), view_of(nodes[1], kind))
    return as_boolean(_each(scalar, nodes, columns, "boolean"))


def _in(node: In, frame: _Frame) -> Column:
    subject = _of(node.subject, frame)
    leaves = [
        comparison("=", kind, view_of(node.subject, kind), view_of(option, kind))
        for option, kind in zip(node.options, node.kinds, strict=True)
    ]
    if isinstance(subject, Coded) and all(isinstance(option, Const) for option in node.options):
        constants = [option.value for option in node.options if isinstance(option, Const)]

        def inside(value: Any) -> bool | None:
            return any3(leaf(value, constant) for leaf, constant in zip(leaves, constants, strict=True))

        return _each(inside, (node.subject,), (subject,), "boolean")
    return any_of(
        [
            _same_kind("=", kind, (node.subject, option), (subject, _of(option, frame)))
            for option, kind in zip(node.options, node.kinds, strict=True)
        ]
    )


def _between(node: Between, frame: _Frame) -> Column:
    nodes = (node.subject, node.low, node.high)
    columns = _values(nodes, frame)
    if not any(has_lists(column) for column in columns):
        subject, low, high = (
            read_as(column, node.kind, typed=each.type not in ("untyped", "list"))
            for each, column in zip(nodes, columns, strict=True)
        )
        above, below = compare(">=", node.kind, subject, low), compare("<=", node.kind, subject, high)
        if above is not None and below is not None:
            return all_of([above, below])
    return _each(leaf_of(node), nodes, columns, "boolean")


def _text_test(node: Like | Regexp, frame: _Frame) -> Column:
    return _each(leaf_of(node), (node.subject,), (_of(node.subject, frame),), "boolean")


def _starts_with(node: StartsWith, frame: _Frame) -> Column:
    nodes = (node.subject, node.prefix)
    return _each(leaf_of(node), nodes, _values(nodes, frame), "boolean")


def _contains(node: Contains, frame: _Frame) -> Column:
    nodes = (node.items, node.item)
    items, item = _values(nodes, frame)
    if isinstance(items, Lists):
        views = (view_of(node.items, node.kind), view_of(node.item, node.kind))
        found = contained(node.kind, items, as_coded(item), views)
        if found is not None:
            return found
    return _each(leaf_of(node), nodes, (items, item), "boolean")


_MEANINGS: Final[dict[type, Callable[[Any, _Frame], Column]]] = {
    Const: _const,
    Ref: _ref,
    As: _as,
    Arith: _arith,
    Shift: _shift,
    Since: _since,
    Call: _call,
    Cast: _cast,
    Case: _case,
    Coalesce: _coalesce,
    Nullif: _nullif,
    Extreme: _extreme,
    Cardinality: _cardinality,
    Truth: _truth,
    And: _and,
    Or: _or,
    Not: _not,
    IsTruth: _is_truth,
    IsNull: _is_null,
    Compare: _compare,
    In: _in,
    Between: _between,
    Like: _text_test,
    Regexp: _text_test,
    StartsWith: _starts_with,
    Contains: _contains,
}
