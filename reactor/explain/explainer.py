"""Explains an event, or a read, without touching anything.

The offers come from a dry run of the engine's own functions (`scratch`), the reasons from the slow
walk over the same criteria, on what the same reads give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from reactor.explain.columns import Columns
from reactor.explain.distance import value_json
from reactor.explain.edges import Edges
from reactor.explain.explanation import Explanation
from reactor.explain.reading import Reader, Sight, readers
from reactor.explain.scratch import Dry, Scratch
from reactor.explain.sections import SectionPlan, Seen, explain_section
from reactor.explain.shapes import KeyEventWhy, PartChange
from reactor.explain.shown import Public, show, truth_text
from reactor.explain.stitching import identity_of_event, identity_of_read
from reactor.explain.tree import Criteria, Part, Secrets, truth_of
from reactor.identity import NEWEST, Profile
from reactor.payload import Audience, Outcome
from reactor.plan import PRIVATE, PUBLIC, PartInfo, parts_of
from reactor.spec.model import KeyEvent, Section, Table
from reactor.state import State

MOST_PLANS: Final = 10_000  # sections by key event that are kept compiled


class Explainer:
    """Explains what the engine with this state would answer. Made when it is first asked for."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.config = config = state.config
        self._scratch = Scratch(config)
        self._secrets = Secrets(config)
        self._parts = parts_of(config)
        self._plans: dict[tuple[str, str | None], SectionPlan] = {}
        self._key_events: dict[str, list[tuple[KeyEvent, Part | None, Criteria]]] = {}
        refs = dict.fromkeys(
            ref
            for section in config.sections
            for name in (*(section.on or ()), None)
            for leaf in self._plan(section, name).leaves
            for ref, _ in leaf.read
        )
        self._readers: dict[tuple[str, str], Reader] = readers(refs, state.layout, self._scratch.batch.read)

    def event(
        self, columns: Mapping[str, Any], table: str, given_ms: int | None, audience: Audience
    ) -> Explanation:
        """Explain an event of a table. Raises EventError as `process` would."""
        config = self.config
        seen = Columns(columns, config.tables.get(table) or Table(table), config)
        identifiers = seen.identifiers()
        dry = self._scratch.run(
            self.state, columns, table, given_ms, PUBLIC if audience == "public" else PRIVATE, identifiers
        )
        sight = Sight(seen, lambda at: dry.before, lambda at: dry.after, self._readers)
        edges = Edges(self.state.layout, self.state.batch, [dry.before], [dry.after], [])
        public = Public(is_on=audience == "public")
        key_events = self._seen_key_events(table, sight, dry.now_ms, public)
        flags = {name for name, is_one, _ in key_events if is_one}
        found = Seen(sight, dry.now_ms, edges, public, None, is_anybody=True)
        return Explanation(
            audience=audience,
            table=table,
            now_ms=dry.now_ms,
            offers=dry.outcome.offers,
            identity=identity_of_event(self.state, columns, identifiers, dry, public),
            key_events=tuple(why for _, _, why in key_events),
            changes=self._changes(dry, public),
            sections=tuple(
                explain_section(self._plan(section, self._counting(section, flags)), section, found, flags)
                for section in config.sections
            ),
        )

    def read(
        self,
        keys: Mapping[str, str] | None,
        rid: str | None,
        given_ms: int | None,
        audience: Audience,
        outcome: Outcome,
    ) -> Explanation:
        """Explain a read of a profile. outcome: what the engine answers it."""
        state, public = self.state, Public(is_on=audience == "public")
        self._scratch.batch.versions = state.batch.versions
        met, _ = state.met(keys, rid)
        present = state.present(met, given_ms)
        now_ms = outcome.now_ms
        ends = self._ends(present)
        rows = [(-1, state.identity.joined(present))]
        rows += [(end, state.found(keys, rid, end)) for end in ends]
        nobody = state.layout.new(0, 0)

        def row_at(at: int) -> Profile:
            return next((row for start, row in reversed(rows) if start <= at), None) or nobody

        held = [row for _, row in rows if row is not None] or [nobody]
        sight = Sight(Columns({}, None, self.config), row_at, row_at, self._readers)
        edges = Edges(state.layout, state.batch, held, held, ends)
        is_anybody = bool(present)
        found = Seen(sight, now_ms or 0, edges, public, ends[-1] if ends else None, is_anybody)
        return Explanation(
            audience=audience,
            table=None,
            now_ms=now_ms,
            offers=outcome.offers,
            identity=identity_of_read(state, met, present, outcome, public),
            key_events=(),
            changes=(),
            sections=tuple(
                explain_section(self._plan(section, None), section, found, frozenset())
                for section in self.config.sections
            ),
        )

    def _ends(self, profiles: Sequence[Profile]) -> list[int]:
        """Return the instants at which the profiles of a read will have been idle for too long."""
        idle_ms = self.config.limits.idle_ms
        return [] if idle_ms is None else sorted({profile[NEWEST] + idle_ms for profile in profiles})

    def _plan(self, section: Section, key_event: str | None) -> SectionPlan:
        key = (section.name, key_event)
        plan = self._plans.get(key)
        if plan is None:
            plan = SectionPlan(section, key_event, self.config, self._secrets)
            if len(self._plans) < MOST_PLANS:
                self._plans[key] = plan
        return plan

    def _counting(self, section: Section, flags: set[str]) -> str | None:
        """Return the first of a section's key events that the event is."""
        return next((name for name in section.on or () if name in flags), None)

    def _seen_key_events(
        self, table: str, sight: Sight, now_ms: int, public: Public
    ) -> list[tuple[str, bool, KeyEventWhy]]:
        """Return (name, whether the event is one, why) of the key events of a table."""
        if table not in self.config.tables:
            return []
        if table not in self._key_events:
            self._key_events[table] = [
                self._key_event(each) for each in self.config.key_events.values() if each.table == table
            ]
        found = []
        read = sight.at(now_ms)
        for key_event, tree, criteria in self._key_events[table]:
            if tree is None:
                found.append((key_event.name, True, KeyEventWhy(key_event.name, "true", None)))
                continue
            truths = [leaf.run(read) for leaf in criteria.leaves]
            truth = truth_of(tree, truths)
            node = show(tree, truths, read, public)
            shown = None if public.hides(tree) else truth_text(truth)
            found.append((key_event.name, truth is True, KeyEventWhy(key_event.name, shown, node)))
        return found

    def _key_event(self, key_event: KeyEvent) -> tuple[KeyEvent, Part | None, Criteria]:
        criteria = Criteria(self.config, self._secrets)
        tree = None if key_event.where is None else criteria.tree(key_event.where, bare=True)
        return key_event, tree, criteria

    def _changes(self, dry: Dry, public: Public) -> tuple[PartChange, ...]:
        parts = self._scratch.functions.parts
        before, after = parts(dry.before, dry.now_ms), parts(dry.after, dry.now_ms)
        changes = []
        for part, old, new in zip(self._parts, before, after, strict=True):
            if public.is_on and part.sensitive:
                # Whether it changes tells of it too.
                changes.append(PartChange(part.name, redacted=True))
            elif old != new or type(old) is not type(new):
                changes.append(PartChange(part.name, _shown(part, old), _shown(part, new)))
        return tuple(changes)


def _shown(part: PartInfo, value: Any) -> Any:
    return value_json(value, part.type)
