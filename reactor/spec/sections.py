"""Personalizations: sections, their conditions and their payloads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import UNSET, UnsetType

from reactor.criteria import Expression, Name
from reactor.spec import raw
from reactor.spec.context import Context
from reactor.spec.expressions import (
    CONDITION,
    PAYLOAD,
    Place,
    check_key_event,
    check_named,
    compile_at,
)
from reactor.spec.model import Section
from reactor.spec.naming import check_length
from reactor.spec.node import Path, quoted


def resolve_sections(
    context: Context, personalizations: dict[str, raw.Personalization] | UnsetType
) -> tuple[Section, ...]:
    """Return the sections in the order of the file."""
    sections: dict[str, Section] = {}
    for group, entry in ({} if personalizations is UNSET else personalizations).items():
        path: Path = ("personalizations", group)
        check_length(context.report, path, "a personalization", context.limits.name)
        for name, section in ({} if entry.sections is UNSET else entry.sections).items():
            place = (*path, "sections", name)
            check_length(context.report, place, "a section", context.limits.name)
            if name in sections:
                other = quoted(sections[name].personalization)
                message = f"expected another name: {other} has a section {quoted(name)} too"
                context.report.error(place, message, "one offer would hide the other", key=True)
            sections[name] = _section(context, place, group, name, section)
    return tuple(sections.values())


def _section(context: Context, path: Path, group: str, name: str, entry: raw.Section) -> Section:
    on = _on(context, (*path, "on"), entry.on)
    columns, mixed = _columns(context, on)
    where = {} if entry.where is UNSET else _where(context, (*path, "where"), entry.where, on, mixed)
    when = None
    if entry.when is not UNSET:
        place = (*path, "when")
        when = _over_profile(context, place, entry.when, columns, mixed, CONDITION)
    payload = raw.Payload() if entry.payload is UNSET else entry.payload
    place = (*path, "payload")
    _check_outputs(context, place, payload, given=entry.payload is not UNSET)
    attributes = _attributes(context, (*place, "attributes"), payload.attributes, columns, mixed)
    strings = {} if payload.strings is UNSET else _strings(context, (*place, "strings"), payload.strings)
    segments = _segments(context, (*place, "segments"), payload.segments)
    return Section(
        personalization=group,
        name=name,
        on=on,
        where=where,
        when=when,
        attributes=attributes,
        strings=strings,
        segments=segments,
        sensitive=_sensitive(context, attributes),
    )


def _on(context: Context, path: Path, on: str | list[str] | UnsetType) -> tuple[str, ...] | None:
    if on is UNSET:
        return () if context.given(path) else None
    entries: list[tuple[str, Path]] = (
        [(on, path)] if isinstance(on, str) else [(name, (*path, at)) for at, name in enumerate(on)]
    )
    if not entries and path not in context.report.broken:
        context.report.error(path, "expected at least one key event, got none", "leave it out for any event")
    found: list[str] = []
    for name, place in entries:
        if not check_key_event(context, place, name):
            continue
        if name in found:
            context.report.error(place, f"the key event {quoted(name)} is given twice")
        else:
            found.append(name)
    return tuple(found)


def _where(
    context: Context,
    path: Path,
    where: str | int | float | bool | Mapping[str, str | int | float | bool | None],
    on: Sequence[str] | None,
    mixed: Mapping[str, str],
) -> dict[str, Expression]:
    if not isinstance(where, Mapping):
        return _shared_where(context, path, where, on, mixed)
    if on is None:
        message = "expected a SQL condition, got a mapping by key event"
        context.report.error(path, message, 'the section has no "on"')
        return {}
    check_named(context, path, where, on)
    found = {}
    for name, condition in where.items():
        if condition is None or name not in on:
            continue
        scope = context.event_scope(context.table_of(name))
        expression = compile_at(context, (*path, name), condition, scope, CONDITION)
        if expression is not None:
            found[name] = expression
    return found


def _shared_where(
    context: Context,
    path: Path,
    where: str | float | bool,
    on: Sequence[str] | None,
    mixed: Mapping[str, str],
) -> dict[str, Expression]:
    found = {}
    for name in on or ("",):
        scope = context.event_scope(context.table_of(name))
        expression = compile_at(context, path, where, scope, CONDITION)
        if expression is not None:
            found[name] = expression
            if on is None:
                _check_one_type(context, path, expression, mixed)
    return found


def _columns(context: Context, on: Sequence[str] | None) -> tuple[dict[str, Name], dict[str, str]]:
    """Return the columns whose type a section knows, and those made as a time in some tables only.

    A section reads events of several tables by one expression. A column made in all of them
    with one type has it; others are untyped, which a time can't be: as an untyped value
    it would be taken for seconds.
    """
    if on is None:
        tables: list[str | None] = [*context.tables, None]
    else:
        tables = list(dict.fromkeys(context.table_of(name) for name in on))
    scopes = [context.event_scope(table).columns or {} for table in tables]
    columns: dict[str, Name] = {}
    mixed: dict[str, str] = {}
    for column in dict.fromkeys(name for scope in scopes for name in scope):
        kinds = [scope.get(column, Name("untyped")) for scope in scopes]
        types = {kind.type for kind in kinds}
        if len(types) == 1:
            columns[column] = Name(kinds[0].type, any(kind.nullable for kind in kinds))
        elif types & {"timestamp", "interval"}:
            mixed[column] = " and ".join(sorted(types))
    return columns, mixed


def _over_profile(
    context: Context,
    path: Path,
    text: str | float | bool,
    columns: Mapping[str, Name],
    mixed: Mapping[str, str],
    place: Place,
) -> Expression | None:
    expression = compile_at(context, path, text, context.profile_scope(columns), place)
    if expression is not None:
        _check_one_type(context, path, expression, mixed)
    return expression


def _check_one_type(context: Context, path: Path, expression: Expression, mixed: Mapping[str, str]) -> None:
    for ref in expression.refs:
        if ref.kind == "column" and ref.name in mixed:
            message = f"expected event.{ref.name} of one type in the section's tables, got {mixed[ref.name]}"
            context.report.error(path, message, "make the column in each table")


def _attributes(
    context: Context,
    path: Path,
    entries: dict[str, str | int | float | bool] | UnsetType,
    columns: Mapping[str, Name],
    mixed: Mapping[str, str],
) -> dict[str, Expression]:
    found = {}
    for name, text in ({} if entries is UNSET else entries).items():
        check_length(context.report, (*path, name), "an output", context.limits.name)
        expression = _over_profile(context, (*path, name), text, columns, mixed, PAYLOAD)
        if expression is not None:
            _check_no_key(context, (*path, name), expression)
            found[name] = expression
    return found


def _check_no_key(context: Context, path: Path, expression: Expression) -> None:
    """Refuse stitching keys in a payload: an answer names nobody."""
    for ref in context.profile_refs(expression):
        owner = context.owners[ref.name]
        if owner in context.keys:
            hint = "send it with the event, and read event.…"
            context.report.error(path, f"a stitching key can't be in a payload, got {quoted(owner)}", hint)
        elif owner in context.key_readers:
            message = f"a payload can't hold what reads a stitching key, got {quoted(owner)}"
            context.report.error(path, message)


def _strings(context: Context, path: Path, entries: dict[str, str]) -> dict[str, str]:
    for name, text in entries.items():
        check_length(context.report, (*path, name), "an output", context.limits.name)
        if "{{" in text or "}}" in text:
            hint = "a text is returned as it is; put a value under attributes"
            context.report.error((*path, name), "expected text without {{ and }}, got a template", hint)
    return entries


def _segments(context: Context, path: Path, entries: list[str] | UnsetType) -> tuple[str, ...] | None:
    if entries is UNSET:
        return None
    found: list[str] = []
    for at, segment in enumerate(entries):
        if segment not in context.segment_ids:
            hint = context.report.hint(segment, context.segments) or "declare it under segments"
            context.report.error((*path, at), f"expected the id of a segment, got {quoted(segment)}", hint)
        elif segment in found:
            context.report.error((*path, at), f"the segment {quoted(segment)} is given twice")
        else:
            found.append(segment)
    return tuple(segment for segment in context.segments if segment in found)


def _check_outputs(context: Context, path: Path, payload: raw.Payload, *, given: bool) -> None:
    attributes = {} if payload.attributes is UNSET else payload.attributes
    strings = {} if payload.strings is UNSET else payload.strings
    for name in strings:
        if name in attributes:
            message = f"expected another name: {quoted(name)} is an output under attributes too"
            context.report.error((*path, "strings", name), message, key=True)
    parts = ((*path, "attributes"), (*path, "strings"), (*path, "segments"))
    if given and not any(_says_something(context, part) for part in parts):
        context.report.error(path, "expected attributes, strings or segments, got an empty payload")


def _says_something(context: Context, path: Path) -> bool:
    # What is written counts, even if it is wrong: that is reported already.
    node = context.report.root.find(path)
    return node is not None and node.value not in ([], {})


def _sensitive(context: Context, attributes: Mapping[str, Expression]) -> tuple[str, ...]:
    """Return the sensitive names a payload reads, in its order."""
    names = (ref.name for expression in attributes.values() for ref in context.profile_refs(expression))
    return tuple(dict.fromkeys(name for name in names if context.is_sensitive(name)))
