"""What can be known of a tree before any value is read: its names, and its constant parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from reactor.criteria.tree import Const, Node, Ref
from reactor.criteria.walk import value_of


def children(node: Node) -> Iterator[Node]:
    """Yield the nodes that `node` is made of, in the order they are written."""
    for name in node.__struct_fields__:
        yield from _nodes(getattr(node, name))


def _nodes(value: object) -> Iterator[Any]:
    if isinstance(value, msgspec.Struct):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from _nodes(part)


def references(root: Node) -> tuple[Ref, ...]:
    """Return the distinct names used, in order of first use."""
    found: dict[Ref, None] = {}

    def visit(node: Node) -> None:
        if isinstance(node, Ref):
            found.setdefault(node)
            return
        for child in children(node):
            visit(child)

    visit(root)
    return tuple(found)


def folded(node: Node) -> Node:
    """Return the tree with every part that uses no name computed."""
    if isinstance(node, Const | Ref):
        return node
    changes = {name: _folded(getattr(node, name)) for name in node.__struct_fields__}
    result: Node = msgspec.structs.replace(node, **changes)
    if all(isinstance(child, Const) for child in children(result)):
        return Const(value_of(result, _no_names), result.type)
    return result


def _folded(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return folded(value)  # type: ignore[arg-type]
    if isinstance(value, tuple):
        return tuple(_folded(part) for part in value)
    return value


def _no_names(ref: Ref) -> object:
    raise AssertionError("a part without names reads none")
