"""Source of values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from reactor.criteria.leaves import VIEWS, cardinality, caster, round_half_away
from reactor.criteria.source import (
    Emitter,
    Operand,
    Source,
    all_of,
    bound,
    finite,
    from_whole,
    known,
    none_or,
)
from reactor.criteria.tree import (
    LISTS,
    Arith,
    As,
    Call,
    Cardinality,
    Case,
    Cast,
    Coalesce,
    Const,
    Extreme,
    Node,
    Nullif,
    Ref,
    Shift,
    Since,
)
from reactor.units import MAX_TIME_MS, MIN_TIME_MS

CLASS_TESTS: Final = {
    "string": "{0}.__class__ is str",
    "number": "({0}.__class__ is int or {0}.__class__ is float)",
    "boolean": "{0}.__class__ is bool",
}


def source_of(node: Node, to: Emitter) -> Source:
    """Return the source of a value; conditions are emitted elsewhere."""
    return _SOURCES[type(node)](node, to)


def operand_of(node: Node, to: Emitter) -> Operand:
    """Return the source of an operand that may be raw."""
    return Operand(to.source(node), node.type)


def class_test(kind: str, text: str, repeated: str) -> str:
    """Return the test that a raw value needs no reading as `kind`; "" where it always does.

    text: of the value's first use, which may bind it to `repeated`.
    """
    test = CLASS_TESTS.get(kind, "")
    return test.replace("{0}", text, 1).replace("{0}", repeated)


def _const(node: Const, to: Emitter) -> Source:
    value = node.value
    if value is None:
        return Source(("False",), "None", True, "None")
    if isinstance(value, str):
        return Source((), to.names.constant(value), True)
    text = repr(value)
    return Source((), f"({text})" if text.startswith("-") else text, True, double=isinstance(value, float))


def _ref(node: Ref, to: Emitter) -> Source:
    return from_whole(to.names.read(node), to.names, node.nullable)


def _as(node: As, to: Emitter) -> Source:
    raw = none_or(to.source(node.operand), to.names)
    name = raw if raw.isidentifier() else to.names.temp()
    first = raw if raw.isidentifier() else f"({name} := {raw})"
    view = to.names.function(VIEWS[node.type])
    test = class_test(node.type, first, name)
    text = f"({name} if {test} else {view}({name}))" if test else f"{view}({raw})"
    return from_whole(text, to.names, True)


def _doubled(source: Source) -> str:
    """Return the text as a float: arithmetic is in doubles, and int + int would be exact."""
    return source.text if source.double else f"{source.text} + 0.0"


def _arith(node: Arith, to: Emitter) -> Source:
    left, right = _number(node.left, to), _number(node.right, to)
    if node.op in ("/", "%"):
        return _division(node.op, left, right, to)
    double = left.double or right.double
    first = left.text if double else f"({_doubled(left)})"
    text = f"({first} {node.op} {right.text})"
    return Source((*left.guards, *right.guards), text, loose=True, double=True)


def _number(node: Node, to: Emitter) -> Source:
    """Return the source of an operand of arithmetic; a literal as a double, which spares converting."""
    if isinstance(node, Const) and node.value is not None:
        value = float(node.value)
        return Source((), f"({value!r})" if value < 0 else repr(value), True, double=True)
    return to.source(node)


def _division(op: str, left: Source, right: Source, to: Emitter) -> Source:
    right = bound(finite(right, to.names), to.names)
    nonzero = right.text if right.text.isidentifier() else str(float(right.text.strip("()")) != 0)
    guards = (*left.guards, *right.guards, nonzero)
    if op == "/":
        first = left.text if left.double or right.double else f"({_doubled(left)})"
        return Source(guards, f"({first} / {right.text})", loose=True, double=True)
    left = finite(left, to.names)
    guards = (*left.guards, *right.guards, nonzero)
    return Source(guards, f"{to.names.function(math.fmod)}({left.text}, {right.text})", double=True)


def _shift(node: Shift, to: Emitter) -> Source:
    moment, by = to.source(node.moment), to.source(node.by)
    name = to.names.temp()
    sign = "+" if node.sign > 0 else "-"
    moved = f"{MIN_TIME_MS} <= ({name} := {moment.text} {sign} {by.text}) <= {MAX_TIME_MS}"
    return Source((*moment.guards, *by.guards, moved), name, True)


def _since(node: Since, to: Emitter) -> Source:
    left, right = to.source(node.left), to.source(node.right)
    return Source((*left.guards, *right.guards), f"({left.text} - {right.text})")


def _call(node: Call, to: Emitter) -> Source:
    args = [to.source(arg) for arg in node.args]
    if node.name == "round":
        args = [finite(args[0], to.names)]
        text = f"{to.names.function(round_half_away)}({args[0].text}, {node.digits})"
        return Source(args[0].guards, text, double=True)
    guards = tuple(guard for arg in args for guard in arg.guards)
    first = args[0].text
    if node.name in ("neg", "abs"):
        text = (
            f"(-({_doubled(args[0])}))"
            if node.name == "neg"
            else f"{to.names.function(abs)}({_doubled(args[0])})"
        )
        return Source(guards, text, loose=args[0].loose, double=True)
    if node.name == "concat":
        return Source(guards, f"({' + '.join(arg.text for arg in args)})")
    texts = {
        "lower": f"{first}.lower()",
        "upper": f"{first}.upper()",
        "trim": f"{first}.strip(' ')",
        "length": f"{to.names.function(len)}({first})",
    }
    return Source(guards, texts[node.name])


def _cast(node: Cast, to: Emitter) -> Source:
    source = to.source(node.operand)
    if node.operand.type == node.type and node.target not in ("bigint", "integer", "double"):
        return source
    if node.operand.type == "number" and node.target == "double":
        return Source(source.guards, f"({_doubled(source)})", loose=source.loose, double=True)
    cast = to.names.function(caster(node.target, node.operand.type))
    if node.operand.type != "untyped":
        source = finite(source, to.names)
        if not node.nullable or node.target == "varchar":
            return Source(source.guards, f"{cast}({source.text})")
    raw = none_or(source, to.names)
    double = node.target == "double"
    if raw.isidentifier() and (double or node.target == "varchar"):
        plain = "float" if double else "str"
        text = f"({raw} if {raw}.__class__ is {plain} else {cast}({raw}))"
        return from_whole(text, to.names, True, double)
    return from_whole(f"{cast}({raw})", to.names, True, double)


def _case(node: Case, to: Emitter) -> Source:
    parts = []
    tests = _case_tests(node, to)
    for test, (_, value) in zip(tests, node.branches, strict=True):
        parts.append(f"{none_or(to.source(value), to.names)} if {test} else ")
    text = f"({''.join(parts)}{none_or(to.source(node.default), to.names)})"
    return from_whole(text, to.names, node.nullable)


def _case_tests(node: Case, to: Emitter) -> list[str]:
    if node.subject is None:
        return [to.test(test, True) for test, _ in node.branches]
    raw = none_or(to.source(node.subject), to.names)
    name = raw if raw.isidentifier() else to.names.temp()
    nullable = node.subject.nullable or node.subject.type == "untyped"
    subject = Operand(from_whole(name, to.names, nullable), node.subject.type)
    tests = [
        to.compare("=", kind, subject, operand_of(test, to), True)
        for kind, (test, _) in zip(node.kinds, node.branches, strict=True)
    ]
    if name != raw:  # bound in the first test, which is always made
        tests[0] = all_of((f"(({name} := {raw}) is {name})", tests[0]))
        if tests[0] == "False":
            tests[0] = f"(({name} := {raw}) is not {name})"
    return tests


def _coalesce(node: Coalesce, to: Emitter) -> Source:
    parts = []
    for place, arg in enumerate(node.args):
        raw = none_or(to.source(arg), to.names)
        if not arg.nullable or place == len(node.args) - 1:
            parts.append(raw)
            break
        name = raw if raw.isidentifier() else to.names.temp()
        first = raw if raw.isidentifier() else f"({name} := {raw})"
        parts.append(f"{name} if {first} is not None else ")
    text = f"({''.join(parts)})" if len(parts) > 1 else parts[0]
    return from_whole(text, to.names, node.nullable)


def _nullif(node: Nullif, to: Emitter) -> Source:
    source = finite(to.source(node.left), to.names)
    if node.left.type in LISTS or node.left.type == "untyped":
        raw = none_or(source, to.names)
        source = from_whole(raw, to.names, True)
    left = bound(source, to.names)
    equal = to.compare("=", node.kind, Operand(known(left), node.left.type), operand_of(node.right, to), True)
    return Source((*left.guards, f"not {equal}"), left.text, True, double=left.double)


def _extreme(node: Extreme, to: Emitter) -> Source:
    args = [finite(to.source(arg), to.names) for arg in node.args]
    guards = tuple(guard for arg in args for guard in arg.guards)
    if len(args) == 1:
        return args[0]
    function = to.names.function(max if node.name == "greatest" else min)
    return Source(
        guards, f"{function}({', '.join(arg.text for arg in args)})", double=all(a.double for a in args)
    )


def _cardinality(node: Cardinality, to: Emitter) -> Source:
    source = to.source(node.operand)
    if node.operand.type == "untyped":
        raw = none_or(source, to.names)
        return from_whole(f"{to.names.function(cardinality)}({raw})", to.names, True)
    if node.operand.type in LISTS:
        return Source(source.guards, f"{to.names.function(len)}({source.text})")
    return Source(finite(source, to.names).guards, "1", True)


_SOURCES: Final[dict[type, Callable[[Any, Emitter], Source]]] = {
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
}
