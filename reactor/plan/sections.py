"""Sections as source: when each matches, and what it then offers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager

from reactor.criteria import Expression, Ref
from reactor.payload import number_out, segments_out, time_out, value_out
from reactor.plan.names import Scribe
from reactor.spec.model import Config, Counter, ListAttribute, Section

PUBLIC, PRIVATE, NOBODY = 0, 1, 2  # who reads the answer, as generated code is told


def expressions_of(section: Section) -> list[Expression]:
    """Return what a section reads of the profile: its `when`, then its payload."""
    when = [] if section.when is None else [section.when]
    return [*when, *section.attributes.values()]


def refs_of(section: Section) -> list[Ref]:
    """Return the names a section reads, `where` aside."""
    return [ref for expression in expressions_of(section) for ref in expression.refs]


def out(scribe: Scribe, expression: Expression) -> str:
    """Return source of an expression's value as JSON has it, sharing nothing with the profile."""
    text = scribe.value(expression)
    if expression.type in ("string", "boolean") or is_ready(scribe.layout.config, expression):
        return text
    function = {"number": number_out, "timestamp": time_out}.get(expression.type, value_out)
    return f"{scribe.function(function)}({text})"


def is_ready(config: Config, expression: Expression) -> bool:
    """Tell whether an expression reads a part whose value is fit to go out as it is.

    Counts are ints, and least and greatest numbers canonical; the items of a list are scalars,
    and `distinct` makes a new list of them.
    """
    root = expression.root
    if not isinstance(root, Ref) or root.kind != "profile":
        return False
    base, _, part = root.name.partition(".")
    attribute = config.attributes.get(base)
    if isinstance(attribute, ListAttribute):
        aggregation = attribute.aggregations[part]
        return aggregation.kind in ("count", "min", "max") or (
            aggregation.kind in ("first", "last", "distinct") and aggregation.column == "item"
        )
    return isinstance(attribute, Counter) and attribute.decimals == 0


class SectionWriter:
    """Writes the sections that may answer one kind of event, or a read.

    triggers: section → source of whether its key event and `where` hold.
    flags: key event → source of whether the event is one.
    """

    def __init__(
        self, scribe: Scribe, triggers: list[tuple[Section, str]], flags: Mapping[str, str] | None = None
    ) -> None:
        self.scribe = scribe
        self.source = scribe.source
        self.sections = triggers
        self.flags = flags or {}
        # A section that asks what was before must know ahead of the update whether it is on.
        self._early = {
            section.name: f"s{number}"
            for number, (section, _) in enumerate(triggers)
            if self._before_refs(section)
        }
        for section, _ in triggers:
            scribe.use(expressions_of(section))

    def _before_refs(self, section: Section) -> bool:
        return any(self.scribe.is_before(ref) for ref in refs_of(section))

    def write_before(self) -> None:
        """Write what has to be read before the profile changes."""
        for section, trigger in self.sections:
            flag = self._early.get(section.name)
            if flag is None:
                continue
            self.source.add(f"{flag} = audience != {NOBODY} and {trigger}")
            with self.source.block(f"if {flag}:"), self._under(section):
                self.scribe.prepare(expressions_of(section), before=True)

    def write(self) -> None:
        """Write the filling of `offers` from the profile as it is now."""
        for section, trigger in self.sections:
            condition = self._early.get(section.name, trigger)
            with self._under(section):
                if condition == "True":
                    self._write_when(section)
                else:
                    with self.source.block(f"if {condition}:"):
                        self._write_when(section)

    def _under(self, section: Section) -> AbstractContextManager[None]:
        """Note that what is written for a section runs under its one key event of this table."""
        flags = {self.flags[name] for name in section.on or () if name in self.flags}
        return self.scribe.under(flags.pop() if len(flags) == 1 else None)

    def _write_when(self, section: Section) -> None:
        if section.when is None:
            self._write_offer(section)
            return
        self.scribe.prepare([section.when])
        with self.source.block(f"if {self.scribe.condition(section.when)}:"):
            self._write_offer(section)

    def _write_offer(self, section: Section) -> None:
        place = f"offers[{self.scribe.constant(section.name)}]"
        if not section.sensitive:
            self._write_payload(section, place)
            return
        with self.source.block(f"if audience == {PRIVATE}:"):
            self._write_payload(section, place)
        with self.source.block("else:"):
            self.source.add(f"{place} = {{}}")

    def _write_payload(self, section: Section, place: str) -> None:
        scribe = self.scribe
        scribe.prepare(section.attributes.values(), inside=section.when is not None)
        entries = [
            f"{scribe.constant(name)}: {out(scribe, expression)}"
            for name, expression in section.attributes.items()
        ]
        entries += [
            f"{scribe.constant(name)}: {scribe.constant(text)}" for name, text in section.strings.items()
        ]
        segments = "None" if section.segments is None else self._segments(section.segments)
        body = ", ".join(entries)
        self.source.add(f'{place} = {{"attributes": {{{body}}}, "batch_segments": {segments}}}')

    def _segments(self, ids: tuple[str, ...]) -> str:
        scribe = self.scribe
        held = f"{scribe.batch()}[{scribe.layout.segments_at}]"
        return f"{scribe.function(segments_out)}({scribe.constant(ids)}, {held})"
