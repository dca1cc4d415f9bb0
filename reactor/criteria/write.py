"""A tree back to SQL, for a person: `spend >= 100 AND (tier = 'gold' OR visits.day > 3)`.

The text means what the tree means; it need not be the text that the tree was made of, for what
is constant has been folded and what is implied is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from reactor.criteria.names import written
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
from reactor.units import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, format_time
from reactor.values import number_text

# How tightly a node's text holds together; what is looser stands in parentheses.
_OR, _AND, _NOT, _TEST, _SUM, _PRODUCT, _SIGN, _ATOM = range(8)
_UNITS: Final = (("DAY", DAY_MS), ("HOUR", HOUR_MS), ("MINUTE", MINUTE_MS), ("SECOND", SECOND_MS))


def sql(node: Node, *, bare: bool = False) -> str:
    """Return the SQL of a tree.

    bare: whether a column is written without `event.`, as where no name of the profile is meant.

    >>> from reactor.criteria import Name, Scope, compile_expression
    >>> scope = Scope(names={"a": Name("number"), "b": Name("string")})
    >>> sql(compile_expression("NOT(a>1 and (b='x' or b is null))", scope, "condition").root)
    "NOT (a > 1 AND (b = 'x' OR b IS NULL))"
    """
    return _Writer(bare).write(node, _OR)


def text_literal(text: str) -> str:
    """Return text in single quotes."""
    return "'" + text.replace("'", "''") + "'"


def interval_literal(interval_ms: int) -> str:
    """Return an interval in the largest unit that divides it.

    >>> interval_literal(-172_800_000), interval_literal(1_500)
    ("INTERVAL '-2' DAY", "INTERVAL '1.5' SECOND")
    """
    for unit, unit_ms in _UNITS:
        if interval_ms % unit_ms == 0:
            return f"INTERVAL '{interval_ms // unit_ms}' {unit}"
    return f"INTERVAL '{number_text(interval_ms / SECOND_MS)}' SECOND"


def literal(value: Any, kind: str) -> str:
    """Return a scalar as SQL writes it; kind: its type."""
    if value is None:
        return "NULL"
    if kind == "timestamp":
        return f"TIMESTAMP '{format_time(value)[:-1].replace('T', ' ').removesuffix('.000')}'"
    if kind == "interval":
        return interval_literal(value)
    if isinstance(value, str):
        return text_literal(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return number_text(value)


class _Writer:
    """Writes nodes; each method returns (text, how tightly it holds)."""

    def __init__(self, bare: bool) -> None:
        self.bare = bare

    def write(self, node: Node, least: int) -> str:
        text, tightness = _WRITERS[type(node)](self, node)
        return f"({text})" if tightness < least else text

    def value(self, node: Node) -> str:
        """Write an operand of a comparison."""
        return self.write(node, _SUM)

    def listed(self, nodes: tuple[Node, ...]) -> str:
        return ", ".join(self.write(node, _SUM) for node in nodes)

    def const(self, node: Const) -> tuple[str, int]:
        text = literal(node.value, node.type)
        return text, _SIGN if text.startswith("-") else _ATOM

    def ref(self, node: Ref) -> tuple[str, int]:
        if node.kind == "segment":
            text = f"segment({text_literal(node.name)})"
            return (f"before.{text}" if node.before else text), _ATOM
        if node.kind == "now":
            return "now", _ATOM
        if node.kind == "column":
            return written(*(() if self.bare else ("event",)), node.name, *node.path), _ATOM
        return written(*(("before",) if node.before else ()), *node.name.split(".")), _ATOM

    def as_(self, node: As) -> tuple[str, int]:
        return _WRITERS[type(node.operand)](self, node.operand)

    def arith(self, node: Arith) -> tuple[str, int]:
        tightness = _SUM if node.op in "+-" else _PRODUCT
        right = self.write(node.right, tightness + 1)
        return f"{self.write(node.left, tightness)} {node.op} {right}", tightness

    def shift(self, node: Shift) -> tuple[str, int]:
        sign, by = "+" if node.sign > 0 else "-", self.write(node.by, _PRODUCT)
        return f"{self.write(node.moment, _SUM)} {sign} {by}", _SUM

    def since(self, node: Since) -> tuple[str, int]:
        return f"{self.write(node.left, _SUM)} - {self.write(node.right, _PRODUCT)}", _SUM

    def call(self, node: Call) -> tuple[str, int]:
        if node.name == "neg":
            return f"-{self.write(node.args[0], _ATOM)}", _SIGN
        if node.name == "concat":
            return " || ".join(self.write(arg, _SUM + 1) for arg in node.args), _SUM
        digits = f", {node.digits}" if node.name == "round" and node.digits else ""
        return f"{node.name}({self.listed(node.args)}{digits})", _ATOM

    def cast(self, node: Cast) -> tuple[str, int]:
        return f"CAST({self.value(node.operand)} AS {node.target})", _ATOM

    def case(self, node: Case) -> tuple[str, int]:
        subject = "" if node.subject is None else f" {self.value(node.subject)}"
        test = _OR if node.subject is None else _SUM
        branches = "".join(
            f" WHEN {self.write(when, test)} THEN {self.write(then, _OR)}" for when, then in node.branches
        )
        has_default = not (isinstance(node.default, Const) and node.default.value is None)
        default = f" ELSE {self.write(node.default, _OR)}" if has_default else ""
        return f"CASE{subject}{branches}{default} END", _ATOM

    def coalesce(self, node: Coalesce) -> tuple[str, int]:
        return f"coalesce({self.listed(node.args)})", _ATOM

    def nullif(self, node: Nullif) -> tuple[str, int]:
        return f"nullif({self.value(node.left)}, {self.value(node.right)})", _ATOM

    def extreme(self, node: Extreme) -> tuple[str, int]:
        return f"{node.name}({self.listed(node.args)})", _ATOM

    def cardinality(self, node: Cardinality) -> tuple[str, int]:
        return f"cardinality({self.value(node.operand)})", _ATOM

    def truth(self, node: Truth) -> tuple[str, int]:
        return _WRITERS[type(node.operand)](self, node.operand)

    def and_(self, node: And) -> tuple[str, int]:
        return " AND ".join(self.write(arg, _NOT) for arg in node.args), _AND

    def or_(self, node: Or) -> tuple[str, int]:
        return " OR ".join(self.write(arg, _AND) for arg in node.args), _OR

    def not_(self, node: Not) -> tuple[str, int]:
        inner = node.arg
        if isinstance(inner, IsNull):
            return f"{self.value(inner.arg)} IS NOT NULL", _TEST
        if isinstance(inner, IsTruth):
            return f"{self.write(inner.arg, _SUM)} IS NOT {'TRUE' if inner.wanted else 'FALSE'}", _TEST
        return f"NOT {self.write(inner, _SUM if not isinstance(inner, Not) else _NOT)}", _NOT

    def is_truth(self, node: IsTruth) -> tuple[str, int]:
        return f"{self.write(node.arg, _SUM)} IS {'TRUE' if node.wanted else 'FALSE'}", _TEST

    def is_null(self, node: IsNull) -> tuple[str, int]:
        return f"{self.value(node.arg)} IS NULL", _TEST

    def compare(self, node: Compare) -> tuple[str, int]:
        return f"{self.value(node.left)} {node.op.upper()} {self.value(node.right)}", _TEST

    def in_(self, node: In) -> tuple[str, int]:
        return f"{self.value(node.subject)} IN ({self.listed(node.options)})", _TEST

    def between(self, node: Between) -> tuple[str, int]:
        low, high = self.value(node.low), self.value(node.high)
        return f"{self.value(node.subject)} BETWEEN {low} AND {high}", _TEST

    def like(self, node: Like) -> tuple[str, int]:
        escape = f" ESCAPE {text_literal(node.escape)}" if node.escape else ""
        return f"{self.value(node.subject)} LIKE {text_literal(node.pattern)}{escape}", _TEST

    def regexp(self, node: Regexp) -> tuple[str, int]:
        return f"regexp_like({self.value(node.subject)}, {text_literal(node.pattern)})", _ATOM

    def starts_with(self, node: StartsWith) -> tuple[str, int]:
        return f"starts_with({self.value(node.subject)}, {self.value(node.prefix)})", _ATOM

    def contains(self, node: Contains) -> tuple[str, int]:
        return f"contains({self.value(node.items)}, {self.value(node.item)})", _ATOM


_WRITERS: Final[dict[type, Callable[[_Writer, Any], tuple[str, int]]]] = {
    Const: _Writer.const,
    Ref: _Writer.ref,
    As: _Writer.as_,
    Arith: _Writer.arith,
    Shift: _Writer.shift,
    Since: _Writer.since,
    Call: _Writer.call,
    Cast: _Writer.cast,
    Case: _Writer.case,
    Coalesce: _Writer.coalesce,
    Nullif: _Writer.nullif,
    Extreme: _Writer.extreme,
    Cardinality: _Writer.cardinality,
    Truth: _Writer.truth,
    And: _Writer.and_,
    Or: _Writer.or_,
    Not: _Writer.not_,
    IsTruth: _Writer.is_truth,
    IsNull: _Writer.is_null,
    Compare: _Writer.compare,
    In: _Writer.in_,
    Between: _Writer.between,
    Like: _Writer.like,
    Regexp: _Writer.regexp,
    StartsWith: _Writer.starts_with,
    Contains: _Writer.contains,
}
