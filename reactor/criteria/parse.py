"""Tokens to a tree of syntax: sqlglot's, rebuilt from an allow-list.

Nothing of sqlglot's tree is used that is not listed here, neither a type of node nor a filled
argument of one: `a NOT LIKE 'x'` is a `Like` with `negate`, and a compiler that did not look
for it would drop the NOT.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import msgspec
from sqlglot import exp
from sqlglot.errors import ParseError
from sqlglot.tokenizer_core import Token

from reactor.criteria.error import CriteriaError
from reactor.criteria.lex import DIALECT, MAX_DEPTH, read

INT_LIMIT: Final = 2**63
# A parenthesis costs sqlglot 33 frames, and 50 of them are allowed.
_FRAMES: Final = 4_000
# The limit of recursion is the interpreter's, so that one thread at a time may move it.
_LOCK: Final = threading.Lock()

NamePart: TypeAlias = tuple[str, bool]


class Syntax(msgspec.Struct, frozen=True):
    """What was written, before anything is known of names and types.

    op: `text number boolean null timestamp interval name`, `and or not`, `compare` (value: the
        operator), `in between like escape is`, `arith` (value: the operator), `neg`, `concat`,
        `call` (value: the function), `cast` (value: the type), `case` (args: subject or null,
        default or null, then test and value in turn; value: whether there is a subject).
    value: of a name, its parts as (text, whether it was quoted).
    offset: where the first name, literal or function of it stands; None where there is none.
    """

    op: str
    args: tuple[Syntax, ...] = ()
    value: Any = None
    offset: int | None = None


def parse(text: str) -> Syntax:
    """Return what `text` says. Raises CriteriaError."""
    tokens = read(text)
    with _room():
        tree = _parsed(tokens, text)
    return _Builder(text).build(tree, 1)


def _parsed(tokens: list[Token], text: str) -> exp.Expr:
    try:
        found = DIALECT.parser().parse_into(exp.Condition, tokens, text)
    except ParseError as error:
        offset = _error_offset(error, text)
        found = None
    if found is None:
        raise CriteriaError(
            "expected an SQL expression, got what can't be read as one", text=text, offset=offset
        )
    if len(found) != 1 or found[0] is None:
        raise CriteriaError("expected one expression", text=text)
    return found[0]


def _error_offset(error: ParseError, text: str) -> int | None:
    """Return where sqlglot stumbled. Its messages name its own classes, so they are not passed on."""
    inner = error.__cause__ if isinstance(error.__cause__, ParseError) else error
    for found in [*inner.errors, *error.errors]:
        line, column = found.get("line"), found.get("col")
        if isinstance(line, int) and isinstance(column, int):
            start = sum(len(part) for part in text.splitlines(keepends=True)[: line - 1])
            return max(0, min(start + column - 1, len(text) - 1))
    return None


@contextmanager
def _room() -> Iterator[None]:
    """Give the recursive parser the frames that the deepest allowed expression takes."""
    depth = 0
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        depth += 1
    with _LOCK:
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(max(limit, depth + _FRAMES))
        try:
            yield
        finally:
            sys.setrecursionlimit(limit)


_COMPARE: Final[dict[type[exp.Expr], str]] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.NullSafeNEQ: "is distinct from",
    exp.NullSafeEQ: "is not distinct from",
}
_ARITH: Final[dict[type[exp.Expr], str]] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
}
_CALLS: Final[dict[type[exp.Expr], str]] = {
    exp.Abs: "abs",
    exp.ArrayContains: "contains",
    exp.ArraySize: "cardinality",
    exp.Coalesce: "coalesce",
    exp.Greatest: "greatest",
    exp.Least: "least",
    exp.Length: "length",
    exp.Lower: "lower",
    exp.Nullif: "nullif",
    exp.RegexpLike: "regexp_like",
    exp.Round: "round",
    exp.StartsWith: "starts_with",
    exp.Trim: "trim",
    exp.Upper: "upper",
}
_TARGETS: Final = {
    exp.DType.BOOLEAN: "boolean",
    exp.DType.BIGINT: "bigint",
    exp.DType.INT: "integer",
    exp.DType.DOUBLE: "double",
    exp.DType.VARCHAR: "varchar",
    exp.DType.TIMESTAMP: "timestamp",
}
_TWO: Final = frozenset({"this", "expression"})
_MANY: Final = frozenset({"this", "expressions"})
_ONE: Final = frozenset({"this"})

# The arguments that a node may have filled; `typed`, `safe` say how a dialect divides or casts.
_ALLOWED: Final[dict[type[exp.Expr], frozenset[str]]] = {
    **dict.fromkeys(_COMPARE, _TWO),
    **dict.fromkeys(_ARITH, _TWO),
    exp.Div: _TWO | {"typed"},
    **dict.fromkeys(_CALLS, _TWO),
    **dict.fromkeys((exp.Coalesce, exp.Greatest, exp.Least), _MANY),
    **dict.fromkeys(
        (exp.Abs, exp.ArraySize, exp.Length, exp.Lower, exp.Trim, exp.Upper, exp.Paren, exp.Not, exp.Neg),
        _ONE,
    ),
    exp.Round: frozenset({"this", "decimals"}),
    exp.And: _TWO,
    exp.Or: _TWO,
    exp.DPipe: _TWO,
    exp.In: _MANY,
    exp.Between: frozenset({"this", "low", "high"}),
    exp.Like: _TWO | {"negate"},
    exp.Escape: _TWO,
    exp.Is: _TWO,
    exp.Cast: frozenset({"this", "to"}),
    exp.TryCast: frozenset({"this", "to", "safe"}),
    exp.Case: frozenset({"this", "ifs", "default"}),
    exp.If: frozenset({"this", "true"}),
    exp.Column: frozenset({"this", "table", "db", "catalog"}),
    exp.Dot: _TWO,
    exp.Identifier: frozenset({"this", "quoted"}),
    exp.Literal: frozenset({"this", "is_string"}),
    exp.Boolean: _ONE,
    exp.Null: frozenset(),
    exp.Interval: frozenset({"this", "unit"}),
    exp.Anonymous: _MANY,
    exp.DataType: frozenset({"this", "expressions"}),
}


class _Builder:
    """From sqlglot's nodes to ours."""

    def __init__(self, text: str) -> None:
        self.text = text

    def build(self, node: exp.Expr, depth: int) -> Syntax:
        while isinstance(node, exp.Paren):
            self.check(node)
            node = node.this
        self.check(node)
        if depth > MAX_DEPTH:
            raise CriteriaError(
                f"expected an expression nested at most {MAX_DEPTH} deep", text=self.text, offset=_place(node)
            )
        for kinds, method in _BUILDERS:
            if isinstance(node, kinds):
                return method(self, node, depth + 1)
        return self.refuse(node)

    def refuse(self, node: exp.Expr) -> Syntax:
        raise CriteriaError(
            f"expected an expression of criteria, got {type(node).__name__.upper()}",
            text=self.text,
            offset=_place(node),
        )

    def check(self, node: exp.Expr) -> None:
        allowed = _ALLOWED.get(type(node))
        if allowed is None:
            self.refuse(node)
            return
        for name, value in node.args.items():
            if name not in allowed and value is not None and value is not False and value != []:
                raise CriteriaError(
                    f"expected {type(node).__name__.upper()} without {name.upper()}",
                    text=self.text,
                    offset=_place(node),
                )

    def node(self, op: str, args: list[Syntax], value: object = None, offset: int | None = None) -> Syntax:
        if offset is None:
            offset = min((arg.offset for arg in args if arg.offset is not None), default=None)
        return Syntax(op, tuple(args), value, offset)

    def chain(self, node: exp.Expr, depth: int) -> Syntax:
        """AND, OR and || of many in one node: thousands of them would be as deep as long."""
        kind, parts = type(node), []
        while isinstance(node, kind):
            self.check(node)
            parts.append(node.expression)
            node = node.this
        parts.append(node)
        op = "and" if kind is exp.And else "or" if kind is exp.Or else "concat"
        return self.node(op, [self.build(part, depth) for part in reversed(parts)])

    def two(self, node: exp.Expr, depth: int) -> Syntax:
        args = [self.build(node.this, depth), self.build(node.expression, depth)]
        if type(node) in _COMPARE:
            return self.node("compare", args, _COMPARE[type(node)])
        return self.node("arith", args, _ARITH[type(node)])

    def call(self, node: exp.Expr, depth: int) -> Syntax:
        if isinstance(node, exp.Anonymous):
            name, found = str(node.this).lower(), list(node.expressions)
        else:
            name = _CALLS[type(node)]
            found = [node.this, node.args.get("expression"), node.args.get("decimals"), *node.expressions]
        args = [self.build(arg, depth) for arg in found if arg is not None]
        return self.node("call", args, name, node.meta.get("start"))

    def like(self, node: exp.Expr, depth: int) -> Syntax:
        escape = []
        if isinstance(node, exp.Escape):
            escape = [self.build(node.expression, depth)]
            node = node.this
            if type(node) is not exp.Like:
                return self.refuse(node)
            self.check(node)
        found = self.node("like", [self.build(node.this, depth), self.build(node.expression, depth), *escape])
        return self.node("not", [found]) if node.args.get("negate") else found

    def cast(self, node: exp.Expr, depth: int) -> Syntax:
        target = node.args["to"]
        self.check(target)
        if target.expressions:  # only TIMESTAMP '…' arrives with a precision
            literal = self.build(node.this, depth)
            return self.node("timestamp", [], literal.value, literal.offset)
        return self.node("cast", [self.build(node.this, depth)], _TARGETS[target.this])

    def case(self, node: exp.Expr, depth: int) -> Syntax:
        null = Syntax("null")
        subject, default = node.args.get("this"), node.args.get("default")
        args = [self.build(part, depth) if part is not None else null for part in (subject, default)]
        for branch in node.args["ifs"]:
            self.check(branch)
            args += [self.build(branch.this, depth), self.build(branch.args["true"], depth)]
        return self.node("case", args, subject is not None)

    def in_(self, node: exp.Expr, depth: int) -> Syntax:
        return self.node("in", [self.build(part, depth) for part in (node.this, *node.expressions)])

    def between(self, node: exp.Expr, depth: int) -> Syntax:
        return self.node("between", [self.build(node.args[name], depth) for name in ("this", "low", "high")])

    def is_(self, node: exp.Expr, depth: int) -> Syntax:
        wanted = node.expression
        self.check(wanted)
        value = wanted.this if isinstance(wanted, exp.Boolean) else None
        return self.node("is", [self.build(node.this, depth)], value)

    def not_(self, node: exp.Expr, depth: int) -> Syntax:
        return self.node("not" if isinstance(node, exp.Not) else "neg", [self.build(node.this, depth)])

    def leaf(self, node: exp.Expr, depth: int) -> Syntax:
        offset = node.meta.get("start")
        if isinstance(node, exp.Boolean):
            return Syntax("boolean", (), node.this, offset)
        if isinstance(node, exp.Null):
            return Syntax("null", (), None, offset)
        if node.is_string:
            return Syntax("text", (), node.this, offset)
        return Syntax("number", (), _number(node.this), offset)

    def interval(self, node: exp.Expr, depth: int) -> Syntax:
        amount = self.build(node.this, depth)
        return Syntax("interval", (), (amount.value, str(node.args["unit"].this).upper()), amount.offset)

    def name(self, node: exp.Expr, depth: int) -> Syntax:
        parts: list[exp.Expr] = []
        while isinstance(node, exp.Dot):
            self.check(node)
            parts.append(node.expression)
            node = node.this
        if type(node) is not exp.Column:
            return self.refuse(node)
        self.check(node)
        parts += [
            node.args[key] for key in ("this", "table", "db", "catalog") if node.args.get(key) is not None
        ]
        found = []
        for part in reversed(parts):
            if type(part) is not exp.Identifier:
                return self.refuse(part)
            found.append((str(part.this), self.text[part.meta["start"]] == '"'))
        return Syntax("name", (), tuple(found), parts[-1].meta["start"])


def _number(text: str) -> int | float:
    if text.isdigit() and abs(int(text)) < INT_LIMIT:
        return int(text)
    return float(text)


def _place(node: exp.Expr) -> int | None:
    """Return where the first word of the node stands that has a place."""
    starts = [part.meta["start"] for part in node.walk() if "start" in part.meta]
    return min(starts, default=None)


_BUILDERS: Final[tuple[tuple[Any, Callable[[_Builder, Any, int], Syntax]], ...]] = (
    ((exp.And, exp.Or, exp.DPipe), _Builder.chain),
    ((*_COMPARE, *_ARITH), _Builder.two),
    ((exp.Like, exp.Escape), _Builder.like),
    ((exp.Column, exp.Dot), _Builder.name),
    ((exp.Literal, exp.Boolean, exp.Null), _Builder.leaf),
    ((exp.Cast, exp.TryCast), _Builder.cast),
    (exp.Case, _Builder.case),
    (exp.In, _Builder.in_),
    (exp.Between, _Builder.between),
    (exp.Is, _Builder.is_),
    ((exp.Not, exp.Neg), _Builder.not_),
    (exp.Interval, _Builder.interval),
    ((*_CALLS, exp.Anonymous), _Builder.call),
)
