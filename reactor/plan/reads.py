"""Reads without an event, as source: the sections without `on:`, and every part of a profile."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from reactor.criteria import Ref
from reactor.criteria.tree import LISTS
from reactor.payload import value_out
from reactor.plan.layout import Layout
from reactor.plan.names import Scribe
from reactor.plan.sections import SectionWriter
from reactor.source import Source
from reactor.spec.model import Computed, Config, Counter, Imported, ListAttribute, Single, Total

PartType: TypeAlias = Literal[
    "string", "number", "integer", "boolean", "timestamp", "strings", "numbers", "list", "json"
]


class PartInfo(msgspec.Struct, frozen=True):
    """One value of a profile that can be read: its name as in criteria, its type, its sensitivity.

    `integer` is a number that is always whole; `json` an untyped scalar or list.
    """

    name: str
    type: PartType
    sensitive: bool


def parts_of(config: Config) -> tuple[PartInfo, ...]:
    """Return every part of a profile, in config order: an attribute, then its sub-windows or aggregations."""
    parts: list[PartInfo] = []
    for name, attribute in config.attributes.items():
        if isinstance(attribute, ListAttribute):
            kinds: dict[str, PartType] = {
                "first": "json",
                "last": "json",
                "distinct": "list",
                "count": "integer",
            }
            parts.extend(
                PartInfo(f"{name}.{each.name}", kinds.get(each.kind, "number"), each.sensitive)
                for each in attribute.aggregations.values()
            )
        elif isinstance(attribute, Counter):
            kind: PartType = (
                "integer" if attribute.decimals == 0 and attribute.increment is None else "number"
            )
            names = [name if window.name is None else f"{name}.{window.name}" for window in attribute.windows]
            parts.extend(PartInfo(each, kind, sensitive=False) for each in names)
        else:
            parts.append(PartInfo(name, _type_of(attribute), getattr(attribute, "sensitive", False)))
    return tuple(parts)


def _type_of(attribute: Single | Imported | Computed | Total) -> PartType:
    if isinstance(attribute, Total):
        # An imported base may have a fraction.
        is_count = attribute.increment is None and attribute.decimals == 0 and attribute.backfill is None
        return "integer" if is_count else "number"
    if isinstance(attribute, Computed):
        kind = attribute.value.type
        return "json" if kind == "untyped" else kind  # type: ignore[return-value]
    return attribute.dtype


def write_offers(source: Source, layout: Layout, name: str) -> None:
    """Write `name(p, now, audience) -> offers` of the sections that need no event."""
    scribe = Scribe(source, layout, None, has_before=False)
    triggers = []
    for section in layout.config.sections:
        if section.on is None:
            where = section.where.get("")
            triggers.append((section, "True" if where is None else f"({scribe.condition(where)})"))
    sections = SectionWriter(scribe, triggers)
    with source.aside() as answer:
        sections.write()
    with source.block(f"def {name}(p, now, audience):"):
        scribe.write_unset()
        scribe.write_parts(scribe.parts)
        source.add("offers = {}", *answer, "return offers")


def write_parts(source: Source, layout: Layout, name: str) -> None:
    """Write `name(p, now) -> tuple` of the values of all parts, in the order of `parts_of`."""
    scribe = Scribe(source, layout, None, has_before=False)
    refs = []
    for part in parts_of(layout.config):
        base = layout.config.names[part.name]
        refs.append((part, Ref("profile", part.name, base.type, base.nullable)))
    with source.aside() as lines:
        scribe.prepare_refs([ref for _, ref in refs])
        values = []
        for part, ref in refs:
            text = scribe.read(ref)
            is_shared = part.type in ("json", "list") or part.type in LISTS
            values.append(f"{source.function(value_out)}({text})" if is_shared else text)
        source.add(f"return ({''.join(value + ', ' for value in values)})")
    with source.block(f"def {name}(p, now):"):
        scribe.write_unset()
        scribe.write_parts(scribe.parts)
        source.add(*lines)
