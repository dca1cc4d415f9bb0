"""Why one section is offered or not, how it would be, and until when that holds."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from reactor.criteria.walk import Read
from reactor.explain.distance import distance_of, value_json
from reactor.explain.edges import Edges
from reactor.explain.reading import Sight
from reactor.explain.shapes import Need, Node, SectionWhy, Turn, Verdict, Wanted, Way
from reactor.explain.shown import Public, name_of, show
from reactor.explain.solve import Example, Solver
from reactor.explain.tree import Criteria, Leaf, Part, Secrets, Truth3, leaves_of, truth_of
from reactor.explain.ways import Plan, Will, ways_to
from reactor.explain.when import NEVER, next_change
from reactor.spec.model import Config, Section

_WANTED: dict[Will, Wanted] = {
    frozenset({True}): "true",
    frozenset({False}): "false",
    frozenset({None}): "unknown",
    frozenset({False, None}): "not true",
    frozenset({True, None}): "not false",
    frozenset({True, False}): "known",
}


class Seen(msgspec.Struct):
    """What sections are explained by.

    horizon: when a read meets nobody any more; None for never. is_anybody: whether it meets somebody now.
    """

    sight: Sight
    now_ms: int
    edges: Edges
    public: Public
    horizon: int | None
    is_anybody: bool


class SectionPlan:
    """What of a section is the same for every event that is one of its key events."""

    __slots__ = ("is_sensitive", "key_event", "leaves", "solver", "when", "when_leaves", "where", "whole")

    def __init__(self, section: Section, key_event: str | None, config: Config, secrets: Secrets) -> None:
        criteria = Criteria(config, secrets)
        where = section.where.get("" if section.on is None else key_event or "")
        self.key_event = key_event
        self.where = None if where is None else criteria.tree(where, bare=True)
        self.when = None if section.when is None else criteria.tree(section.when, bare=False)
        self.leaves: list[Leaf] = criteria.leaves
        self.when_leaves = [] if self.when is None else list(dict.fromkeys(leaves_of(self.when)))
        self.whole = [part for part in (self.where, self.when) if part is not None]
        self.is_sensitive = any(part.sensitive for part in self.whole)
        self.solver = Solver(criteria.leaves, config)


def explain_section(plan: SectionPlan, section: Section, seen: Seen, flags: Collection[str]) -> SectionWhy:
    """Explain one section. flags: the key events that the event is."""
    is_on = section.on is None or plan.key_event is not None
    if not is_on or not seen.is_anybody:
        verdict: Verdict = "nobody" if is_on else "other_event"
        return _why(section, plan, verdict, None, None, None, False, NEVER)
    read = seen.sight.at(seen.now_ms)
    truths = [leaf.run(read) for leaf in plan.leaves]
    where, when = _root(plan.where, truths), _root(plan.when, truths)
    is_matched = where is True and when is True
    verdict = _verdict(plan, section, where, when, seen.public)
    nodes = [
        None if part is None else show(part, truths, read, seen.public) for part in (plan.where, plan.when)
    ]
    is_hidden = seen.public.is_on and plan.is_sensitive
    ways: tuple[Way, ...] | None = ()
    is_more = False
    if not is_matched:
        ways, is_more = (None, False) if is_hidden else _ways(plan, truths, read, seen.now_ms)
    turn = Turn("redacted") if is_hidden else _turn(plan, truths, seen, where is True, is_matched)
    return _why(section, plan, verdict, nodes[0], nodes[1], ways, is_more, turn)


def _why(
    section: Section,
    plan: SectionPlan,
    verdict: Verdict,
    where: Node | None,
    when: Node | None,
    ways: tuple[Way, ...] | None,
    is_more: bool,
    turn: Turn,
) -> SectionWhy:
    return SectionWhy(
        section.name,
        section.personalization,
        verdict,
        section.on,
        plan.key_event,
        where,
        when,
        ways,
        is_more,
        turn,
    )


def _root(part: Part | None, truths: Sequence[Truth3]) -> Truth3:
    return True if part is None else truth_of(part, truths)


def _verdict(plan: SectionPlan, section: Section, where: Truth3, when: Truth3, public: Public) -> Verdict:
    if where is not True:
        if public.hides(plan.where):
            return "where_not_true"
        return "where_unknown" if where is None else "where_false"
    if when is not True:
        if public.hides(plan.when):
            return "when_not_true"
        return "when_unknown" if when is None else "when_false"
    return "redacted" if public.is_on and section.sensitive else "matched"


def _turn(plan: SectionPlan, truths: Sequence[Truth3], seen: Seen, is_on: bool, is_matched: bool) -> Turn:
    """Return when the section starts or ceases to be offered; what the event's columns decide stays."""
    turn = NEVER
    if is_on and plan.when is not None:
        turn = next_change(
            plan.when, plan.when_leaves, truths, seen.sight, seen.now_ms, seen.edges, seen.horizon
        )
    if seen.horizon is None or turn.state == "untold" or turn.at_ms is not None:
        return turn
    return Turn.of(seen.horizon) if is_matched else NEVER


def _ways(
    plan: SectionPlan, truths: Sequence[Truth3], read: Read, now_ms: int
) -> tuple[tuple[Way, ...], bool]:
    examples: dict[int, Example] = {}
    plan.solver.begin()

    def possible(wanted: Plan) -> bool | None:
        verdict, examples[id(wanted)] = plan.solver.solve(wanted, truths, read, now_ms)
        return verdict

    found, is_more = ways_to(plan.whole, truths, possible)
    ways = []
    for wanted, proven in found:
        needs = tuple(
            Need(
                leaf,
                plan.leaves[leaf].text,
                _WANTED[wanted[leaf]],
                distance_of(plan.leaves[leaf], wanted[leaf], read),
            )
            for leaf in sorted(wanted)
            if truths[leaf] not in wanted[leaf]
        )
        example = {
            name_of(ref, bare=ref.kind == "column"): value_json(value, ref.type)
            for ref, value in examples[id(wanted)].items()
        }
        ways.append(Way(needs, proven, example if proven else {}))
    return tuple(ways), is_more
