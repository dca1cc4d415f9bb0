"""Types in words: what they are called, what agrees with what, and what to write instead."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

from reactor.criteria.names import written
from reactor.criteria.tree import LISTS, Const, Kind, Node, Ref, Type
from reactor.units import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

Place: TypeAlias = Literal["string", "number", "boolean", "timestamp"]

NOUNS: Final[dict[Type, str]] = {
    "string": "text",
    "number": "a number",
    "boolean": "a boolean",
    "timestamp": "a timestamp",
    "interval": "an interval",
    "strings": "a list of texts",
    "numbers": "a list of numbers",
    "list": "a list",
    "untyped": "an untyped value",
}
ELEMENTS: Final[dict[Type, Type]] = {"strings": "string", "numbers": "number", "list": "untyped"}
UNITS_MS: Final = {"DAY": DAY_MS, "HOUR": HOUR_MS, "MINUTE": MINUTE_MS, "SECOND": SECOND_MS}
ORDERS: Final = frozenset({"<", "<=", ">", ">="})
# What to write for a value where a condition is asked for.
TO_CONDITION: Final[dict[Type, str]] = {
    "string": "compare it, as in a = 'x' or a IN ('x', 'y')",
    "number": "compare it, as in a > 0",
    "timestamp": "compare it, as in a > TIMESTAMP '2017-03-01'",
    "interval": "compare it, as in a > INTERVAL '7' DAY",
    "strings": "write contains(a, 'x') or cardinality(a) > 0",
    "numbers": "write contains(a, 1) or cardinality(a) > 0",
    "list": "write contains(a, 'x') or cardinality(a) > 0",
}
# What a typed value can never be cast to, with what to write for it.
NO_CAST: Final[dict[tuple[Type, str], str]] = {
    ("boolean", "number"): "write CASE WHEN … THEN 1 ELSE 0 END",
    ("number", "boolean"): "write a <> 0",
    ("boolean", "timestamp"): "",
    ("timestamp", "number"): "",
    ("timestamp", "boolean"): "",
}
_LITERAL_HINTS: Final[dict[tuple[Type, Type], str]] = {
    ("string", "timestamp"): "write TIMESTAMP '2017-03-01'",
    ("number", "timestamp"): "write TIMESTAMP '2017-03-01'",
    ("number", "string"): "write the number in single quotes",
    ("string", "number"): "write the number without quotes",
    ("string", "boolean"): "write TRUE or FALSE",
    ("number", "boolean"): "write TRUE or FALSE",
}
TARGET_TYPES: Final[dict[str, Place]] = {
    "boolean": "boolean",
    "bigint": "number",
    "integer": "number",
    "double": "number",
    "varchar": "string",
    "timestamp": "timestamp",
}
_CAST_TO: Final[dict[Type, str]] = {
    "string": "varchar",
    "number": "double",
    "boolean": "boolean",
    "timestamp": "timestamp",
}


def conversion(node: Node, wanted: Type, bare: bool) -> str:
    """Return the hint for a value of another type than its place asks for."""
    if isinstance(node, Const):
        return _LITERAL_HINTS.get((node.type, wanted), "")
    if node.type in LISTS:
        return "a list is read with contains and cardinality"
    target = TARGET_TYPES.get(_CAST_TO.get(wanted, ""))
    if target is None or node.type == "interval" or (node.type, target) in NO_CAST:
        return ""
    return f"write CAST({shown(node, bare)} AS {_CAST_TO[wanted]})"


def as_kind(name: Type) -> Kind:
    """Return what values of one type are compared as."""
    for kind in get_args(Kind):
        if kind == name:
            found: Kind = kind
            return found
    return "json"


def as_type(kind: str) -> Type:
    """Return the type of values that are compared as `kind`."""
    found: Type = "untyped" if kind == "json" else kind  # type: ignore[assignment]
    return found


def double_quoted(name: str) -> str:
    """Return a name in double quotes, whether it needs them or not."""
    return '"' + name.replace('"', '""') + '"'


def shown(node: Node, bare: bool) -> str:
    """Return a name as written; `a` for anything longer, and text and numbers as literals.

    bare: whether a column is written without `event.`.
    """
    if isinstance(node, Ref) and node.kind == "profile":
        return written(*(("before",) if node.before else ()), *node.name.split("."))
    if isinstance(node, Ref):
        return written(*(("event",) if node.kind == "column" and not bare else ()), node.name, *node.path)
    if isinstance(node, Const) and isinstance(node.value, str):
        return "'" + node.value.replace("'", "''") + "'"
    return str(node.value) if isinstance(node, Const) and node.type == "number" else "a"
