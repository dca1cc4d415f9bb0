"""One explanation, whole: data, JSON, and text for a person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from reactor.errors import did_you_mean
from reactor.explain import text
from reactor.explain.shapes import IdentityWhy, KeyEventWhy, PartChange, Private, SectionWhy
from reactor.payload import Audience, Offer
from reactor.units import format_time


class Explanation(Private, frozen=True):
    """Why an event, or a read, is answered as it is. Private data, unless `audience` is public.

    table: the event's; None for a read. now_ms: the reading time; None for a read of nobody without
        `now`; `now` is the same as text.
    offers: what `process` would give. identity: who it is about. key_events: those of the table.
    changes: what the event would change. sections: all of the config, in order.
    """

    audience: Audience
    table: str | None
    now_ms: int | None
    offers: dict[str, Offer]
    identity: IdentityWhy
    key_events: tuple[KeyEventWhy, ...]
    changes: tuple[PartChange, ...]
    sections: tuple[SectionWhy, ...]

    @property
    def now(self) -> str | None:
        """The reading time as text."""
        return None if self.now_ms is None else format_time(self.now_ms)

    def section(self, name: str) -> SectionWhy:
        """Return the explanation of one section. Raises KeyError for a name the config does not have."""
        for each in self.sections:
            if each.name == name:
                return each
        raise KeyError(did_you_mean(name, [each.name for each in self.sections]) or "no such section")

    def json(self) -> bytes:
        """Return it as JSON; `explanation_schema()` describes it."""
        body: dict[str, Any] = {"version": 1, "audience": self.audience, "table": self.table, "now": self.now}
        names = ("offers", "identity", "key_events", "changes", "sections")
        body.update({name: getattr(self, name) for name in names})
        return _encode(body)

    def reason(self, name: str) -> str:
        """Return why one section is offered or not, for a person: what `text` says of it."""
        return _joined(text.section(self.section(name)))

    def changed(self) -> str:
        """Return what the event would change, for a person; "" for nothing."""
        return _joined(line for line in text.changes(self.changes) if line)

    def text(self, *, section: str | None = None) -> str:
        """Return it for a person, at most 80 columns wide but for names that are longer.

        section: only this one.
        """
        lines = text.head(self.audience, self.table, self.now)
        lines += text.identity(self.identity)
        lines += text.changes(self.changes)
        lines += text.key_events(self.key_events)
        shown = self.sections if section is None else (self.section(section),)
        for each in shown:
            lines += ["", *text.section(each)]
        return _joined(lines)


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{text.printable(line).rstrip()}\n" for line in lines)


_encode = msgspec.json.Encoder().encode


class _Document(msgspec.Struct):
    """An explanation as `reactor explain --format json` prints it."""

    version: int
    audience: Audience
    table: str | None
    now: str | None
    offers: dict[str, dict[str, Any]]
    identity: IdentityWhy
    key_events: tuple[KeyEventWhy, ...]
    changes: tuple[PartChange, ...]
    sections: tuple[SectionWhy, ...]


def explanation_schema() -> dict[str, Any]:
    """Return the JSON Schema of an explanation."""
    (reference,), shapes = msgspec.json.schema_components([_Document], ref_template="#/$defs/{name}")
    named = {name.lstrip("_"): shape for name, shape in shapes.items()}
    document = {**named.pop("Document"), "title": "Explanation"}
    assert reference
    for shape in (*named.values(), document):
        if "properties" in shape:
            shape["additionalProperties"] = False
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **document, "$defs": named}
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(schema))
    return plain
