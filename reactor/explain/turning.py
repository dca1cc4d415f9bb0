"""When a leaf that reads `now` can turn next, while everything else stays as it is.

A time or an interval that is reckoned from `now` is a straight line over it: a value and a slope.
Wherever a leaf compares two of them, also inside a CASE or a greatest, the lines may cross. The
first instants at and after the crossings are those at which anything can change; it is enough to
ask again there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from reactor.criteria import Ref
from reactor.criteria.leaves import LIST_CLASSES, view_of
from reactor.criteria.tree import (
    And,
    As,
    Between,
    Call,
    Case,
    Cast,
    Coalesce,
    Compare,
    Contains,
    Extreme,
    In,
    IsNull,
    IsTruth,
    Node,
    Not,
    Nullif,
    Or,
    Shift,
    Since,
    Truth,
)
from reactor.criteria.walk import value_of
from reactor.explain.reading import Sight
from reactor.explain.tree import Leaf, before_too, computed_of, refs_in
from reactor.spec.model import Config
from reactor.units import MAX_TIME_MS, MIN_TIME_MS


class Untold(Exception):
    """The instants can't be told: a leaf reads the written form of `now`, or there are too many."""


class Line(NamedTuple):
    """What a node comes to at an instant, and by how much that grows with each millisecond."""

    value: Any
    slope: int


def next_turn(leaf: Leaf, sight: Sight, at: int) -> int | None:
    """Return the first instant after `at` at which a leaf can change by `now` alone; None if never.

    Raises Untold.
    """
    lines = _Lines(sight, at, leaf.config)
    lines.of(leaf.node)
    return lines.first


class _Lines:
    """Reckons the lines of one leaf at one instant, and notes the first crossing after it."""

    def __init__(self, sight: Sight, at: int, config: Config) -> None:
        self._read = sight.at(at)
        self._sight = sight
        self._at = at
        self._config = config
        self._before = False
        self.first: int | None = None

    def of(self, node: Node) -> Line:
        """Return the line of a node. Only what holds `now` is looked into."""
        if not self._tells_time(node):
            return Line(self._value(node), 0)
        method = _METHODS.get(type(node))
        if method is None:
            for field in node.__struct_fields__:
                value = getattr(node, field)
                for each in value if isinstance(value, tuple) else (value,):
                    if hasattr(each, "__struct_fields__") and self.of(each).slope:
                        raise Untold
            return Line(self._value(node), 0)
        return method(self, node)

    def _tells_time(self, node: Node) -> bool:
        return any(ref.kind == "now" or (computed_of(ref, self._config) is not None) for ref in refs_in(node))

    def _value(self, node: Node) -> Any:
        return value_of(node, self._name)

    def _name(self, ref: Ref) -> Any:
        return self._read(before_too(ref, before=self._before))

    def ref(self, node: Ref) -> Line:
        if node.kind == "now":
            return Line(self._at, 1)
        computed = computed_of(node, self._config)
        if computed is None:
            return Line(self._name(node), 0)
        kept, self._before = self._before, self._before or node.before
        slope = self.of(computed.value.root).slope
        self._before = kept
        return Line(self._name(node), slope)

    def shift(self, node: Shift) -> Line:
        moment, by = self.of(node.moment), self.of(node.by)
        slope = moment.slope + node.sign * by.slope
        if moment.value is None or by.value is None:
            return Line(None, 0)
        reached = moment.value + node.sign * by.value
        # NULL outside of the years there are.
        self._cross(reached - MAX_TIME_MS, slope)
        self._cross(reached - MIN_TIME_MS, slope)
        return Line(self._value(node), slope)

    def since(self, node: Since) -> Line:
        left, right = self.of(node.left), self.of(node.right)
        return Line(self._value(node), left.slope - right.slope)

    def case(self, node: Case) -> Line:
        chosen: Node = node.default
        for place, (test, value) in enumerate(node.branches):
            if node.subject is None:
                holds = self.of(test).value
            else:
                kind = node.kinds[place]
                self._pair(self.of(node.subject), self.of(test), node.subject, test, kind)
                holds = self._value(Compare("=", node.subject, test, kind, True))
            if holds:
                chosen = value
                break
        return Line(self._value(node), self.of(chosen).slope)

    def coalesce(self, node: Coalesce) -> Line:
        for arg in node.args:
            line = self.of(arg)
            if line.value is not None:
                return Line(self._value(node), line.slope)
        return Line(None, 0)

    def nullif(self, node: Nullif) -> Line:
        left, right = self.of(node.left), self.of(node.right)
        self._pair(left, right, node.left, node.right, node.kind)
        return Line(self._value(node), left.slope)

    def extreme(self, node: Extreme) -> Line:
        lines = [self.of(arg) for arg in node.args]
        if any(line.value is None for line in lines):
            return Line(None, 0)
        for place, one in enumerate(lines):
            for other in lines[place + 1 :]:
                self._meet(one, other)
        value = self._value(node)
        slopes = [line.slope for line in lines if line.value == value]
        return Line(value, max(slopes) if node.name == "greatest" else min(slopes))

    def as_(self, node: As) -> Line:
        line = self.of(node.operand)
        if line.slope:
            raise Untold
        return Line(self._value(node), 0)

    def cast(self, node: Cast) -> Line:
        line = self.of(node.operand)
        if line.slope and node.target != "timestamp":
            raise Untold
        return Line(self._value(node), line.slope)

    def call(self, node: Call) -> Line:
        lines = [self.of(arg) for arg in node.args]
        if node.name == "neg" and len(lines) == 1:
            return Line(self._value(node), -lines[0].slope)
        if any(line.slope for line in lines):
            raise Untold
        return Line(self._value(node), 0)

    # Tests

    def compare(self, node: Compare) -> Line:
        self._pair(self.of(node.left), self.of(node.right), node.left, node.right, node.kind)
        return Line(self._value(node), 0)

    def between(self, node: Between) -> Line:
        subject, low, high = self.of(node.subject), self.of(node.low), self.of(node.high)
        self._pair(subject, low, node.subject, node.low, node.kind)
        self._pair(subject, high, node.subject, node.high, node.kind)
        return Line(self._value(node), 0)

    def in_(self, node: In) -> Line:
        subject = self.of(node.subject)
        for option, kind in zip(node.options, node.kinds, strict=True):
            self._pair(subject, self.of(option), node.subject, option, kind)
        return Line(self._value(node), 0)

    def contains(self, node: Contains) -> Line:
        self._pair(self.of(node.items), self.of(node.item), node.items, node.item, node.kind)
        return Line(self._value(node), 0)

    def joined(self, node: And | Or) -> Line:
        for arg in node.args:
            self.of(arg)
        return Line(self._value(node), 0)

    def inner(self, node: Not | IsTruth | IsNull) -> Line:
        self.of(node.arg)
        return Line(self._value(node), 0)

    def truth(self, node: Truth) -> Line:
        self.of(node.operand)
        return Line(self._value(node), 0)

    # Crossings

    def _pair(self, left: Line, right: Line, left_node: Node, right_node: Node, kind: str) -> None:
        """Note where two sides of a comparison meet; one may be a list."""
        if not (left.slope or right.slope):
            return
        if kind not in ("timestamp", "interval"):
            raise Untold
        for one in _each(left, left_node, kind):
            for other in _each(right, right_node, kind):
                self._meet(one, other)

    def _meet(self, one: Line, other: Line) -> None:
        if one.value is not None and other.value is not None:
            self._cross(one.value - other.value, one.slope - other.slope)

    def _cross(self, gap: int, slope: int) -> None:
        """Note the instants at which a gap that grows by `slope` is 0, and is beyond it."""
        if slope < 0:
            gap, slope = -gap, -slope
        if slope == 0 or gap > 0:
            return
        for steps in (-(gap // slope), -gap // slope + 1):
            if steps > 0 and (self.first is None or self._at + steps < self.first):
                self.first = self._at + steps


def _each(line: Line, node: Node, kind: str) -> Iterable[Line]:
    view = view_of(node, kind)
    if line.value.__class__ in LIST_CLASSES:
        return [Line(view(element), 0) for element in line.value]
    return [Line(view(line.value), line.slope)]


_METHODS: Final[dict[type, Callable[[_Lines, Any], Line]]] = {
    Ref: _Lines.ref,
    Shift: _Lines.shift,
    Since: _Lines.since,
    Case: _Lines.case,
    Coalesce: _Lines.coalesce,
    Nullif: _Lines.nullif,
    Extreme: _Lines.extreme,
    As: _Lines.as_,
    Cast: _Lines.cast,
    Call: _Lines.call,
    Compare: _Lines.compare,
    Between: _Lines.between,
    In: _Lines.in_,
    Contains: _Lines.contains,
    And: _Lines.joined,
    Or: _Lines.joined,
    Not: _Lines.inner,
    IsTruth: _Lines.inner,
    IsNull: _Lines.inner,
    Truth: _Lines.truth,
}
