"""The slow walk: what every node means. Emitted code, live and columnar, must agree with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeAlias

from reactor.criteria import like, regexp
from reactor.criteria.leaves import (
    ARITHMETIC,
    VIEWS,
    Leaf,
    all3,
    any3,
    between,
    cardinality,
    caster,
    comparison,
    membership,
    not3,
    payload_number,
    prefix_leaf,
    round_half_away,
    shift,
    text_leaf,
    trim,
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
    Truth,
)

Read: TypeAlias = Callable[[Ref], object]

FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "neg": lambda number: -float(number),
    "abs": lambda number: abs(float(number)),
    "lower": str.lower,
    "upper": str.upper,
    "trim": trim,
    "length": len,
    "concat": lambda *texts: "".join(texts),
}


def walk(expression: Expression, read: Read) -> Any:
    """Return what `expression` comes to; None is NULL, and for a condition unknown.

    A computed number is in its one form (`reactor.values.canonical`); a name alone is as read.

    read: gives the value of a name, as the engine keeps it; None for NULL.

    >>> from reactor.criteria import Name, Scope, compile_expression
    >>> scope = Scope(names={"visits": Name("number")})
    >>> walk(compile_expression("visits >= 3", scope, "condition"), lambda ref: 4)
    True
    """
    value = value_of(expression.root, read)
    if expression.type == "number" and not isinstance(expression.root, Ref):
        return payload_number(value)
    return value


def value_of(node: Node, read: Read) -> Any:
    """Return what a part of an expression comes to."""
    return _MEANINGS[type(node)](node, read)


@lru_cache(maxsize=1_024)
def leaf_of(node: Compare | Between | Like | Regexp | StartsWith | Contains) -> Leaf:
    """Return the three-valued function of raw operands that a leaf is."""
    match node:
        case Compare(op=op, left=left, right=right, kind=kind):
            return comparison(op, kind, view_of(left, kind), view_of(right, kind))
        case Between(subject=subject, low=low, high=high, kind=kind):
            return between(kind, view_of(subject, kind), view_of(low, kind), view_of(high, kind))
        case Like(subject=subject, pattern=pattern, escape=escape):
            return text_leaf(like.matcher(pattern, escape), view_of(subject, "string"))
        case Regexp(subject=subject, pattern=pattern):
            return text_leaf(regexp.matcher(pattern), view_of(subject, "string"))
        case StartsWith(subject=subject, prefix=prefix):
            return prefix_leaf(view_of(subject, "string"), view_of(prefix, "string"))
        case Contains(items=items, item=item, kind=kind):
            return membership(kind, view_of(items, kind), view_of(item, kind))


def _const(node: Const, read: Read) -> Any:
    return node.value


def _ref(node: Ref, read: Read) -> Any:
    return read(node)


def _as(node: As, read: Read) -> Any:
    return VIEWS[node.type](value_of(node.operand, read))


def _arith(node: Arith, read: Read) -> Any:
    left, right = value_of(node.left, read), value_of(node.right, read)
    return None if left is None or right is None else ARITHMETIC[node.op](left, right)


def _shift(node: Shift, read: Read) -> Any:
    moment, by = value_of(node.moment, read), value_of(node.by, read)
    return None if moment is None or by is None else shift(moment, node.sign * by)


def _since(node: Since, read: Read) -> Any:
    left, right = value_of(node.left, read), value_of(node.right, read)
    return None if left is None or right is None else left - right


def _call(node: Call, read: Read) -> Any:
    args = [value_of(arg, read) for arg in node.args]
    if any(arg is None for arg in args):
        return None
    if node.name == "round":
        return round_half_away(args[0], node.digits)
    return FUNCTIONS[node.name](*args)


def _cast(node: Cast, read: Read) -> Any:
    return caster(node.target, node.operand.type)(value_of(node.operand, read))


def _case(node: Case, read: Read) -> Any:
    subject = None if node.subject is None else value_of(node.subject, read)
    for place, (test, value) in enumerate(node.branches):
        truth = value_of(test, read)
        if node.subject is not None:
            kind = node.kinds[place]
            truth = comparison("=", kind, view_of(node.subject, kind), view_of(test, kind))(subject, truth)
        if truth:
            return value_of(value, read)
    return value_of(node.default, read)


def _coalesce(node: Coalesce, read: Read) -> Any:
    for arg in node.args:
        value = value_of(arg, read)
        if value is not None:
            return value
    return None


def _nullif(node: Nullif, read: Read) -> Any:
    left, right = value_of(node.left, read), value_of(node.right, read)
    return None if comparison("=", node.kind)(left, right) else left


def _extreme(node: Extreme, read: Read) -> Any:
    args = [value_of(arg, read) for arg in node.args]
    if any(arg is None for arg in args):
        return None
    return max(args) if node.name == "greatest" else min(args)


def _cardinality(node: Cardinality, read: Read) -> Any:
    return cardinality(value_of(node.operand, read))


def _truth(node: Truth, read: Read) -> Any:
    value = value_of(node.operand, read)
    return value if node.operand.type == "boolean" else VIEWS["boolean"](value)


def _and(node: And, read: Read) -> Any:
    return all3(value_of(arg, read) for arg in node.args)


def _or(node: Or, read: Read) -> Any:
    return any3(value_of(arg, read) for arg in node.args)


def _not(node: Not, read: Read) -> Any:
    return not3(value_of(node.arg, read))


def _is_truth(node: IsTruth, read: Read) -> Any:
    return value_of(node.arg, read) is node.wanted


def _is_null(node: IsNull, read: Read) -> Any:
    return value_of(node.arg, read) is None


def _in(node: In, read: Read) -> Any:
    subject = value_of(node.subject, read)
    return any3(
        comparison("=", kind, view_of(node.subject, kind), view_of(option, kind))(
            subject, value_of(option, read)
        )
        for option, kind in zip(node.options, node.kinds, strict=True)
    )


def _compare(node: Compare, read: Read) -> Any:
    return leaf_of(node)(value_of(node.left, read), value_of(node.right, read))


def _between(node: Between, read: Read) -> Any:
    return leaf_of(node)(value_of(node.subject, read), value_of(node.low, read), value_of(node.high, read))


def _text_test(node: Like | Regexp, read: Read) -> Any:
    return leaf_of(node)(value_of(node.subject, read))


def _starts_with(node: StartsWith, read: Read) -> Any:
    return leaf_of(node)(value_of(node.subject, read), value_of(node.prefix, read))


def _contains(node: Contains, read: Read) -> Any:
    return leaf_of(node)(value_of(node.items, read), value_of(node.item, read))


_MEANINGS: Final[dict[type, Callable[[Any, Read], Any]]] = {
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
