"""Warnings: what is allowed, and is probably not what the author meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from reactor.criteria import Expression, Ref
from reactor.spec.context import Context
from reactor.spec.expressions import always
from reactor.spec.model import (
    ByKeyEvent,
    Computed,
    Counter,
    ListAttribute,
    Section,
    Single,
    Total,
    Trigger,
)
from reactor.spec.node import Path, quoted

_MAX_ATTRIBUTES: Final = 20  # the vendor's figure for an answer within 100 ms
_MAX_PAYLOAD_BYTES: Final = 10_000
# What a value is likely to take in an answer, its quotes and comma included.
_TEXT_BYTES: Final = 40
_NUMBER_BYTES: Final = 10


def lint(context: Context, sections: tuple[Section, ...], secret: str) -> None:
    """Note the warnings of a config that has no problems."""
    _warn_identity(context, secret)
    _warn_made_columns(context)
    _warn_unused_key_events(context, sections)
    _warn_unread_attributes(context, sections)
    for section in sections:
        path: Path = ("personalizations", section.personalization, "sections", section.name)
        _warn_constant(context, path, section)
        _warn_size(context, path, section)
    _warn_unchosen(context, sections)


def _warn_identity(context: Context, secret: str) -> None:
    if not context.keys:
        path: Path = ("identity",) if context.given(("identity",)) else ()
        context.report.warn(path, "there are no stitching keys: every event meets an empty profile")
    elif not secret:
        path = ("identity", "secret") if context.given(("identity", "secret")) else ("identity",)
        message = "the secret is empty: a rid can be used to test whether a guessed identifier is known"
        context.report.warn(path, message, "write secret: ${REACTOR_SECRET}")


def _warn_made_columns(context: Context) -> None:
    """Warn of a made column that seems to read another: it reads the event's own."""
    for table in context.tables.values():
        for name, expression in table.columns.items():
            for ref in expression.refs:
                if ref.kind == "column" and ref.name in table.columns and ref.name != name:
                    path = ("tables", table.name, "columns", name)
                    message = f"{quoted(ref.name)} is a made column too, and this reads the event's own"
                    context.report.warn(path, message)


def _warn_unused_key_events(context: Context, sections: tuple[Section, ...]) -> None:
    used = {trigger.key_event for trigger in _triggers(context)}
    used.update(name for section in sections for name in section.on or ())
    for name in context.key_events:
        if name not in used:
            message = "no attribute and no section uses this key event"
            context.report.warn(("key_events", name), message, key=True)


def _triggers(context: Context) -> Iterator[Trigger]:
    for attribute in context.attributes.values():
        if isinstance(attribute, Single | ListAttribute | Counter | Total):
            yield from attribute.on
        if isinstance(attribute, ListAttribute):
            yield from attribute.delete_on
            yield from attribute.clear_on


def _warn_unread_attributes(context: Context, sections: tuple[Section, ...]) -> None:
    read = {context.owners[ref.name] for ref in _refs(_profile_expressions(context, sections))}
    for attribute in context.attributes.values():
        if isinstance(attribute, Single | Total) and attribute.backfill is not None:
            read |= {attribute.backfill.value, attribute.backfill.time}
    for name in context.attributes:
        if name not in read and context.given(("attributes", name)):
            message = "nothing reads this attribute: no section, and no computed attribute"
            context.report.warn(("attributes", name), message, key=True)


def _profile_expressions(context: Context, sections: tuple[Section, ...]) -> Iterator[Expression]:
    for section in sections:
        if section.when is not None:
            yield section.when
        yield from section.attributes.values()
    for attribute in context.attributes.values():
        if isinstance(attribute, Computed):
            yield attribute.value


def _refs(expressions: Iterable[Expression]) -> Iterator[Ref]:
    for expression in expressions:
        yield from (ref for ref in expression.refs if ref.kind == "profile")


def _warn_constant(context: Context, path: Path, section: Section) -> None:
    conditions: ByKeyEvent = {"when": section.when} if section.when is not None else {}
    for name, condition in conditions.items():
        _warn_if_constant(context, (*path, name), condition)
    for name, condition in section.where.items():
        by_name = context.given((*path, "where", name))
        _warn_if_constant(context, (*path, "where", name) if by_name else (*path, "where"), condition)


def _warn_if_constant(context: Context, path: Path, condition: Expression) -> None:
    holds = always(condition)
    if holds is not None:
        result = "always true: leave it out" if holds else "never true: the section is never offered"
        context.report.warn(path, f"the condition reads nothing and is {result}")


def _warn_size(context: Context, path: Path, section: Section) -> None:
    place = (*path, "payload")
    outputs = len(section.attributes) + len(section.strings)
    if outputs > _MAX_ATTRIBUTES:
        message = (
            f"the payload has {outputs} attributes and strings: over {_MAX_ATTRIBUTES} make answers slow"
        )
        context.report.warn(place, message)
    likely = sum(len(name.encode()) + len(text.encode()) + 6 for name, text in section.strings.items())
    likely += sum(
        len(name.encode()) + 4 + _bytes_of(context, value) for name, value in section.attributes.items()
    )
    if likely > _MAX_PAYLOAD_BYTES:
        message = f"the payload is likely to have about {likely / 1000:.0f} KB: over 10 KB make answers slow"
        context.report.warn(place, message)


def _bytes_of(context: Context, value: Expression) -> int:
    """Guess the bytes of a payload value from its type, and a list's from its capacity."""
    if value.type in ("number", "boolean"):
        return _NUMBER_BYTES
    if value.type not in ("strings", "numbers", "list"):
        return _TEXT_BYTES
    lengths = [10]
    for ref in _refs([value]):
        attribute = context.attributes[context.owners[ref.name]]
        lengths.append(attribute.max_items if isinstance(attribute, ListAttribute) else 10)
    return max(lengths) * (_NUMBER_BYTES if value.type == "numbers" else _TEXT_BYTES)


def _warn_unchosen(context: Context, sections: tuple[Section, ...]) -> None:
    """Warn of what a payload reads and of which nobody wrote whether it is sensitive."""
    waiting = [ref.name for section in sections for ref in _refs(section.attributes.values())]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        attribute = context.attributes[context.owners[name]]
        if isinstance(attribute, Computed):
            waiting += [ref.name for ref in _refs([attribute.value])]
        elif name in context.unwritten:
            message = (
                "a payload reads this, and nothing says whether it is sensitive: it counts as not sensitive"
            )
            context.report.warn(context.unwritten[name], message, "write sensitive: true or false", key=True)
