"""A section as a probe: it matches any of its key events, and answers with the truth of every leaf."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import structs

from reactor.criteria import Expression, Ref
from reactor.criteria.tree import As, Compare, Const, Node, Shift, Since
from reactor.criteria.write import sql
from reactor.explain.distance import exact_difference, format_span
from reactor.explain.sections import SectionPlan
from reactor.explain.tree import Branch, Leaf, Part, Secrets, Truth3, refs_in, truth_of
from reactor.spec.model import Config, Section
from reactor.values import number_text

_CONTRARY: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_NAME: Final = "probe {}"


class ProbeStep(msgspec.Struct, frozen=True):
    """A condition that all events must pass: one of a criterion's, or the whole of it."""

    criterion: str
    text: str
    part: Part

    def holds(self, truths: Sequence[Truth3]) -> bool:
        """Tell whether it is true."""
        return truth_of(self.part, truths) is True


class Probe:
    """The probe for one key event of a section; None for a section without `on:`.

    section: what the engine runs. Its payload is the truth of each leaf, by number; behind them the two
    sides of those that compare in order.
    """

    def __init__(self, section: Section, key_event: str | None, config: Config) -> None:
        plan = SectionPlan(section, key_event, config, Secrets(config))
        self.name = _NAME.format(key_event)
        self.leaves: Sequence[Leaf] = plan.leaves
        self.leaf_count = len(plan.leaves)
        self.is_sensitive = plan.is_sensitive
        self.steps = [
            ProbeStep(criterion, each.text, each)
            for criterion, part in (("where", plan.where), ("when", plan.when))
            for each in _conjuncts(part)
        ]
        self._whole = plan.whole
        self._criterion = {leaf.number: "where" if leaf.bare else "when" for leaf in plan.leaves}
        self._places: dict[int, int] = {}
        values = [_expression(leaf.node, "boolean") for leaf in plan.leaves]
        for leaf in plan.leaves:
            sides = _sides(leaf.node)
            if sides is not None:
                self._places[leaf.number] = len(values)
                values += sides
        self.section = Section(
            personalization=section.personalization,
            name=self.name,
            on=None if key_event is None else (key_event,),
            where={},
            when=None,
            attributes={f"{place}": value for place, value in enumerate(values)},
            strings={},
            segments=None,
            sensitive=(),
        )

    def key(self, leaf: int) -> tuple[str, str]:
        """Return the criterion that a leaf stands in, and its text."""
        return self._criterion[leaf], self.leaves[leaf].text

    def matches(self, truths: Sequence[Truth3]) -> bool:
        """Tell whether the section is offered."""
        return all(truth_of(part, truths) is True for part in self._whole)

    def alone(self, truths: Sequence[Truth3]) -> dict[int, Truth3]:
        """Return the leaves that alone keep the section from being offered, and what each has to be."""
        found: dict[int, Truth3] = {}
        if self.matches(truths):
            return found
        for leaf in range(self.leaf_count):
            for other in (True, False, None):
                if other is truths[leaf] or leaf in found:
                    continue
                if self.matches([*truths[:leaf], other, *truths[leaf + 1 :]]):
                    found[leaf] = other
        return found

    def miss(self, leaf: int, values: Sequence[Any]) -> float | None:
        """Return how far a leaf that compares in order is from turning; None where nothing tells."""
        place = self._places.get(leaf)
        if place is None:
            return None
        node = self.leaves[leaf].node
        assert isinstance(node, Compare)
        if node.kind == "timestamp":
            gap = values[place]
            return None if gap is None else abs(gap)
        left, right = values[place], values[place + 1]
        if left.__class__ is list or right.__class__ is list or left is None or right is None:
            return None
        return abs(exact_difference(left, right))

    def amount(self, leaf: int, by: float) -> str:
        """Write how far a bound moves."""
        node = self.leaves[leaf].node
        assert isinstance(node, Compare)
        return number_text(by) if node.kind == "number" else format_span(int(by))

    def passes(self, leaf: int, wanted: bool, miss: float, by: float) -> bool:
        """Tell whether an event that misses by so much passes when the bound moves by `by`."""
        return miss <= by if self._op(leaf, wanted) in ("<=", ">=") else miss < by

    def _op(self, leaf: int, wanted: bool) -> str:
        """Return what the sides have to be to each other for the leaf to be as wanted."""
        node = self.leaves[leaf].node
        assert isinstance(node, Compare)
        return node.op if wanted else _CONTRARY[node.op]

    def moved(self, leaf: int, wanted: bool, by: float) -> str | None:
        """Write a leaf with its bound moved by so much; None where the bound is no constant."""
        node, bare = self.leaves[leaf].node, self.leaves[leaf].bare
        assert isinstance(node, Compare)
        left_is_bound = not any(ref.kind != "now" for ref in refs_in(node.left))
        bound, other = (node.left, node.right) if left_is_bound else (node.right, node.left)
        # The bound moves towards the values that failed: down for `x >= bound`, up for `x <= bound`.
        move = -by if (self._op(leaf, wanted) in (">", ">=")) != left_is_bound else by
        match bound:
            case Const(value=int() | float() as value, type=kind):
                moved: Node = Const(_sum(value, move, kind), kind)
            case Shift(by=Const(value=int() as value), sign=sign):
                moved = structs.replace(bound, by=Const(_sum(value, sign * move, "interval"), "interval"))
            case _:
                return None
        left, right = (moved, other) if left_is_bound else (other, moved)
        return sql(structs.replace(node, left=left, right=right), bare=bare)


def _sum(value: float, move: float, kind: str) -> int | float:
    total = exact_difference(value, -move)
    return total if kind == "number" else int(total)


def _conjuncts(part: Part | None) -> Sequence[Part]:
    if part is None:
        return ()
    if isinstance(part, Branch) and part.mark == "and":
        return part.branches
    return (part,)


def _expression(node: Node, kind: str) -> Expression:
    refs: tuple[Ref, ...] = tuple(dict.fromkeys(refs_in(node)))
    return Expression("", kind, True, refs, node)  # type: ignore[arg-type]


def _sides(node: Node) -> list[Expression] | None:
    """Return what a leaf that compares in order holds against each other; two times as their distance."""
    if not isinstance(node, Compare) or node.op not in _CONTRARY:
        return None
    sides = [
        As(side, node.kind) if side.type == "untyped" else side  # type: ignore[arg-type]
        for side in (node.left, node.right)
    ]
    if any(side.type not in ("number", "timestamp", "interval") for side in sides):
        return None
    if node.kind == "timestamp":
        return [_expression(Since(sides[0], sides[1], True), "interval")]
    return [_expression(side, side.type) for side in sides]
