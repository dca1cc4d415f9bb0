"""Conditions over views: taken apart at their ANDs, so that what is costly to read is read in few rows."""

from __future__ import annotations

from typing import Protocol, Self, TypeVar

import numpy as np

from reactor.criteria import Expression, Ref
from reactor.criteria.fold import references
from reactor.criteria.tree import And, Node
from reactor.replay.columns.column import Column, Rows
from reactor.replay.columns.expressions import holds

ViewT = TypeVar("ViewT", bound="View")


class View(Protocol):
    """Rows at which names are read."""

    def __len__(self) -> int:
        """Count the rows."""

    def column(self, ref: Ref) -> Column:
        """Return what a name yields in the rows."""

    def narrowed(self, keep: Rows) -> Self:
        """Return the view of some of the rows, given by number."""


def narrow(condition: Expression, view: ViewT) -> ViewT:
    """Return the view of the rows where a condition is true."""
    return _narrow(condition.root, view)


def _narrow(node: Node, view: ViewT) -> ViewT:
    if isinstance(node, And):
        for arg in node.args:
            view = _narrow(arg, view)
        return view
    count = len(view)
    if not count:
        return view
    expression = Expression("", node.type, node.nullable, references(node), node)
    hits = np.flatnonzero(holds(expression, view.column, count))
    return view if len(hits) == count else view.narrowed(hits)
