"""What a config says, in one look: the report of `reactor check` for a config without problems."""

from __future__ import annotations

import msgspec

from reactor.cli.console import aligned, count_of, paint, printable
from reactor.plan import profile_bytes
from reactor.spec import (
    Attribute,
    Computed,
    Config,
    Counter,
    Imported,
    Key,
    ListAttribute,
    Section,
    Single,
    Table,
    Total,
    Window,
)
from reactor.units import format_duration


class AttributeSummary(msgspec.Struct, frozen=True):
    """`parts` are names as criteria use them; `max_bytes` is what one profile can hold in it at most."""

    name: str
    kind: str
    detail: str
    parts: tuple[str, ...]
    sensitive: tuple[str, ...]
    max_bytes: int


class SectionSummary(msgspec.Struct, frozen=True):
    """`reads` counts the names its payload reads, `sensitive` lists those that are."""

    personalization: str
    name: str
    on: tuple[str, ...] | None
    state: str
    reads: int
    sensitive: tuple[str, ...]


class Summary(msgspec.Struct, frozen=True):
    """A config's contents; `max_bytes` is what one profile can hold at most, all in all."""

    name: str
    tables: dict[str, str]
    keys: dict[str, str]
    key_events: dict[str, str]
    attributes: tuple[AttributeSummary, ...]
    sections: tuple[SectionSummary, ...]
    max_bytes: int


def summarize(config: Config) -> Summary:
    """Return what the config says."""
    costs = profile_bytes(config)
    return Summary(
        name=config.name,
        tables={table.name: _table(table) for table in config.tables.values()},
        keys={key.name: _key(key, config.lookup_key) for key in config.keys},
        key_events={
            event.name: event.table + (f" where {event.where.text}" if event.where else "")
            for event in config.key_events.values()
        },
        attributes=tuple(
            _attribute(attribute, costs.get(attribute.name, 0)) for attribute in config.attributes.values()
        ),
        sections=tuple(_section(section) for section in config.sections),
        max_bytes=sum(costs.values()),
    )


def _table(table: Table) -> str:
    made = f"; made: {', '.join(table.columns)}" if table.columns else ""
    return f"time in {table.time}, {table.timezone or 'UTC'}{made}"


def _key(key: Key, lookup_key: str | None) -> str:
    facts = [
        "finds imported rows" if key.name == lookup_key else "",
        "internal" if key.internal else "",
        f"valid: {key.valid}" if key.valid else "",
        f"ignores {count_of(len(key.invalid), 'text')}" if key.invalid else "",
    ]
    return ", ".join(fact for fact in facts if fact)


def _attribute(attribute: Attribute, max_bytes: int) -> AttributeSummary:
    return AttributeSummary(
        name=attribute.name,
        kind=kind_of(attribute),
        detail=_detail(attribute),
        parts=_parts(attribute),
        sensitive=_sensitive(attribute),
        max_bytes=max_bytes,
    )


def kind_of(attribute: Attribute) -> str:
    """Return the attribute's `type:` as the config writes it."""
    return str(attribute.__struct_config__.tag)


def _detail(attribute: Attribute) -> str:
    match attribute:
        case Single():
            kept = f", kept {format_duration(attribute.ttl_ms)}" if attribute.ttl_ms else ""
            return f"{attribute.dtype}{kept}{', backfill' if attribute.backfill else ''}"
        case ListAttribute():
            unique = ", unique" if attribute.unique else ""
            return f"{attribute.max_items} items, kept {format_duration(attribute.ttl_ms)}{unique}"
        case Counter():
            own, *shorter = attribute.windows
            inside = "".join(f", {window.name} {_window(window)}" for window in shorter)
            return f"{_counted(attribute)} over {_window(own)}{inside}"
        case Total():
            kept = f"over {format_duration(attribute.discard_ms)}" if attribute.discard_ms else "for ever"
            return f"{_counted(attribute)} {kept}{', backfill' if attribute.backfill else ''}"
        case Imported():
            return f"{attribute.dtype}, column {attribute.column}"
        case Computed():
            return f"{attribute.value.type}"


def _window(window: Window) -> str:
    return f"{format_duration(window.window_ms)} by {format_duration(window.pane_ms)}"


def _counted(attribute: Counter | Total) -> str:
    return "count" if attribute.increment is None else "sum"


def _parts(attribute: Attribute) -> tuple[str, ...]:
    match attribute:
        case ListAttribute():
            return tuple(f"{attribute.name}.{part}" for part in attribute.aggregations)
        case Counter():
            return tuple(f"{attribute.name}.{window.name}" for window in attribute.windows if window.name)
        case _:
            return ()


def _sensitive(attribute: Attribute) -> tuple[str, ...]:
    match attribute:
        case ListAttribute():
            parts = attribute.aggregations.items()
            return tuple(f"{attribute.name}.{name}" for name, part in parts if part.sensitive)
        case Counter() | Total():
            return ()
        case _:
            return (attribute.name,) if attribute.sensitive else ()


def _section(section: Section) -> SectionSummary:
    names = {ref.name for value in section.attributes.values() for ref in value.refs if ref.kind == "profile"}
    return SectionSummary(
        personalization=section.personalization,
        name=section.name,
        on=section.on,
        state="redacted" if section.sensitive else "public",
        reads=len(names),
        sensitive=section.sensitive,
    )


def summary_lines(summary: Summary) -> list[str]:
    """Write a summary as text for a person."""
    lines: list[str] = []
    _add(lines, "Tables", list(summary.tables.items()))
    _add(lines, "Keys", list(summary.keys.items()))
    _add(lines, "Key events", list(summary.key_events.items()))
    width = max((len(_bytes(attribute)) for attribute in summary.attributes), default=0)
    _add(lines, "Attributes", [_attribute_row(attribute, width) for attribute in summary.attributes])
    for name in dict.fromkeys(section.personalization for section in summary.sections):
        sections = [section for section in summary.sections if section.personalization == name]
        _add(lines, f"Sections of {printable(name)}", [_section_row(section) for section in sections])
    lines.append(f"One profile holds at most {count_of(summary.max_bytes, 'byte')}, identifiers included.")
    return lines


def _add(lines: list[str], title: str, rows: list[tuple[str, ...]]) -> None:
    if rows:
        lines.append(paint(title, "bold"))
        lines.extend(aligned([tuple(map(printable, row)) for row in rows]))


def _attribute_row(attribute: AttributeSummary, width: int) -> tuple[str, ...]:
    count = f"{len(attribute.sensitive)}/{len(attribute.parts) or 1}"
    sensitive = f"{count} sensitive" if attribute.sensitive else ""
    return attribute.name, attribute.kind, _bytes(attribute).rjust(width), attribute.detail, sensitive


def _bytes(attribute: AttributeSummary) -> str:
    # Imported and computed attributes hold nothing in a profile.
    return f"{attribute.max_bytes:,} B" if attribute.max_bytes else ""


def _section_row(section: SectionSummary) -> tuple[str, ...]:
    on = "any event or read" if section.on is None else f"on {', '.join(section.on)}"
    if section.state == "public":
        return section.name, on, "public"
    count = f"{len(section.sensitive)}/{section.reads}"
    return section.name, on, f"redacted for the public: {count} sensitive ({', '.join(section.sensitive)})"
