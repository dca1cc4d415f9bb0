"""The emitter: a checked tree to one Python expression.

A condition is emitted in two forms, is-true and is-false, so that NOT costs nothing. No text of
the user is in the source: names go through `Names.read`, constants through `Names.constant`.
"""

from __future__ import annotations

from typing import Any, Final

from reactor.criteria.emit_leaf import compare_test, leaf_test
from reactor.criteria.emit_value import source_of
from reactor.criteria.fold import children, references
from reactor.criteria.leaves import payload_number
from reactor.criteria.source import Names, Operand, Source, all_of, any_of, none_or
from reactor.criteria.tree import (
    CONDITIONS,
    And,
    Const,
    Expression,
    IsNull,
    IsTruth,
    Node,
    Not,
    Or,
    Ref,
    Truth,
)
from reactor.criteria.walk import value_of
from reactor.values import as_boolean

# Python's own parser takes 200 nested parentheses, and the source around needs some.
MAX_NESTING: Final = 100


def emit_condition(expression: Expression, names: Names) -> str:
    """Return source that is truthy if and only if the condition is true.

    Raises nothing for a checked expression. The source may assign to `names.temp()`s.
    """
    text = _Emitter(names).test(expression.root, True)
    return text if _nesting(text) <= MAX_NESTING else f"({_walked(expression.root, names)} is True)"


def emit_value(expression: Expression, names: Names) -> str:
    """Return source of the expression's value; None is NULL, and for a condition unknown.

    A computed number is in its one form (`reactor.values.canonical`); a name alone is as read.
    """
    root = expression.root
    text = _Emitter(names).whole(root)
    if _nesting(text) > MAX_NESTING:
        text = _walked(root, names)
    if expression.type == "number" and not isinstance(root, Ref):
        return f"{names.function(payload_number)}({text})"
    return text


class _Emitter:
    """One expression's emission."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def source(self, node: Node) -> Source:
        return source_of(node, self)

    def whole(self, node: Node) -> str:
        """Return source of the value or None, of a condition too."""
        if not isinstance(node, CONDITIONS):
            return none_or(self.source(node), self.names)
        yes = self.test(node, True)
        if not node.nullable:
            return f"(True if {yes} else False)"
        return f"(True if {yes} else False if {self.test(node, False)} else None)"

    def compare(self, op: str, kind: str, left: Operand, right: Operand, wanted: bool) -> str:
        return compare_test(op, kind, left, right, wanted, self)

    def test(self, node: Node, wanted: bool) -> str:
        match node:
            case Const(value=value):
                return str(value is wanted)
            case And(args=args):
                return all_of(self.tests(args, True)) if wanted else any_of(self.tests(args, False))
            case Or(args=args):
                return any_of(self.tests(args, True)) if wanted else all_of(self.tests(args, False))
            case Not(arg=arg):
                return self.test(arg, not wanted)
            case IsTruth(arg=arg, wanted=truth):
                text = self.test(arg, truth)
                return text if wanted else _not(text)
            case IsNull(arg=arg):
                return self.is_null(arg, wanted)
            case Truth(operand=operand):
                return self.truth(operand, wanted)
        return leaf_test(node, wanted, self) if isinstance(node, CONDITIONS) else self.truth(node, wanted)

    def tests(self, nodes: tuple[Node, ...], wanted: bool) -> list[str]:
        return [self.test(node, wanted) for node in nodes]

    def is_null(self, arg: Node, wanted: bool) -> str:
        if not arg.nullable:
            return str(not wanted)
        if not isinstance(arg, CONDITIONS):
            text = none_or(self.source(arg), self.names)
            return f"({text} is None)" if wanted else f"({text} is not None)"
        if _asks_unknown(arg):  # both forms of both forms, level by level, would double each time
            return f"({_walked(arg, self.names)} is {'None' if wanted else 'not None'})"
        known = any_of((self.test(arg, True), self.test(arg, False)))
        return _not(known) if wanted else known

    def truth(self, operand: Node, wanted: bool) -> str:
        source = self.source(operand)
        text = none_or(source, self.names)
        if operand.type == "boolean":
            if not operand.nullable:
                return text if wanted else _not(text)
            return text if wanted else f"({text} is False)"
        slow = f"{self.names.function(as_boolean)}({text}) is {wanted}"
        return f"({text} is {wanted} or {slow})" if text.isidentifier() else f"({slow})"


def _not(text: str) -> str:
    return {"True": "False", "False": "True"}.get(text, f"(not {text})")


def _asks_unknown(node: Node) -> bool:
    """Whether a condition has `IS NULL` of a condition in it."""
    if isinstance(node, IsNull) and isinstance(node.arg, CONDITIONS):
        return True
    return any(_asks_unknown(child) for child in children(node))


def _nesting(text: str) -> int:
    """Return how deep the parentheses of source are nested. None of them is in a text: no user's text is."""
    depth = deepest = 0
    for character in text:
        if character == "(":
            depth += 1
            deepest = max(deepest, depth)
        elif character == ")":
            depth -= 1
    return deepest


def _walked(node: Node, names: Names) -> str:
    """Return source that calls the slow walk, for what is nested too deep for Python's parser."""
    refs = references(node)

    def walked(*values: object) -> Any:
        found = dict(zip(refs, values, strict=True))
        return value_of(node, found.__getitem__)

    return f"{names.function(walked)}({', '.join(names.read(ref) for ref in refs)})"
