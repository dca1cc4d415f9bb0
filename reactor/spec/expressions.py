"""Compiles the expressions of a config: each in its scope, each fitting its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from reactor.criteria import CriteriaError, Expression, Ref, Scope, Type, compile_expression, walk
from reactor.spec.context import Context
from reactor.spec.model import DType, Trigger
from reactor.spec.node import Path, quoted
from reactor.values import number_text

_TOKEN = re.compile(
    r"'(?:[^']|'')*'?"  # text: no name
    r"|((?:\"(?:[^\"]|\"\")*\"|[A-Za-z_]\w*)(?:\s*\.\s*(?:\"(?:[^\"]|\"\")*\"|\w+))*)"
)
_STEP = re.compile(r"\"((?:[^\"]|\"\")*)\"|(\w+)")


class Place(msgspec.Struct, frozen=True):
    """What an expression must be to stand somewhere; `types` is None for any.

    hint: what to do about one of type `hint_for`, or of any other where that is None.
    """

    want: Literal["condition", "value"]
    expected: str = ""
    types: frozenset[Type] | None = None
    hint: str = ""
    hint_for: Type | None = None


_CASTS: Final = {"number": "double", "string": "varchar", "boolean": "boolean", "timestamp": "timestamp"}

CONDITION: Final = Place("condition")
ANY_VALUE: Final = Place("value")
NUMBER: Final = Place(
    "value",
    "a number",
    frozenset({"number", "untyped"}),
    "write CAST(… AS double) to read text as a number",
    "string",
)
ITEM: Final = Place(
    "value",
    "text, a number, a boolean or a list of these",
    frozenset({"string", "number", "boolean", "strings", "numbers", "list", "untyped"}),
    "an item is kept as it came: leave out the CAST",
)
PAYLOAD: Final = Place(
    "value",
    "a value",
    frozenset({"string", "number", "boolean", "timestamp", "strings", "numbers", "list", "untyped"}),
    "an interval can't be returned: compare it instead",
)


def of_dtype(dtype: DType) -> Place:
    """Return the place of a value that an attribute of `dtype` keeps.

    >>> sorted(of_dtype("number").types)
    ['number', 'untyped']
    """
    cast = _CASTS.get(dtype)
    hint = f"write CAST(… AS {cast}), or change the dtype" if cast else ""
    types: frozenset[Type] = frozenset({dtype, "untyped"})
    return Place("value", f"{_article(dtype)}, for the dtype is {dtype}", types, hint)


def sql_text(raw: str | float | bool) -> str:
    """Return the SQL of an expression that YAML may have read as a number or a boolean.

    >>> sql_text(2), sql_text(-0.5), sql_text(True), sql_text("a + b")
    ('2', '-0.5', 'TRUE', 'a + b')
    """
    if isinstance(raw, bool):
        return "TRUE" if raw else "FALSE"
    return raw if isinstance(raw, str) else number_text(raw)


def column_text(column: str) -> str:
    """Return the SQL that reads a column of the event, whatever its name.

    >>> column_text("from")
    'event."from"'
    """
    escaped = column.replace('"', '""')
    return f'event."{escaped}"'


def base_names(text: str) -> set[str]:
    """Return the first words of the names in an expression, without `before.`; may hold some more.

    >>> sorted(base_names("before.visits.day > 1 AND tier = 'gold' AND \\"a b\\" IS NULL"))
    ['AND', 'IS', 'NULL', 'a b', 'tier', 'visits']
    """
    found = set()
    for match in _TOKEN.finditer(text):
        if match[1] is None:
            continue
        steps = [(quoted_ or bare).replace('""', '"') for quoted_, bare in _STEP.findall(match[1])]
        if steps[0] == "before" and len(steps) > 1:
            del steps[0]
        found.add(steps[0])
    return found


def compile_at(
    context: Context, path: Path, raw: str | float | bool, scope: Scope, place: Place
) -> Expression | None:
    """Return the expression at `path`; None, with the problem reported, if it is none that fits."""
    text = sql_text(raw)
    if context.report.full:
        return None
    key = (text, place.want, id(scope))
    if key not in context.compiled:
        context.compiled[key] = _compile(context, path, text, scope, place.want)
    expression = context.compiled[key]
    if expression is None:
        # Reported at the first place; said again here, for this path is wrong as well.
        return _compile(context, path, text, scope, place.want)
    for warning in expression.warnings:
        context.report.warn(path, warning)
    if place.types is None or expression.type in place.types:
        return expression
    if not _is_unsure(context, text):
        message = f"expected {place.expected}, got {_article(expression.type)}\n{text}"
        fits_hint = place.hint_for in (None, expression.type)
        context.report.error(path, message, place.hint if fits_hint else "")
    return None


def _compile(
    context: Context, path: Path, text: str, scope: Scope, want: Literal["condition", "value"]
) -> Expression | None:
    try:
        return compile_expression(text, scope, want)
    except CriteriaError as error:
        message, hint = error.rendered(), error.hint
    if not _is_unsure(context, text):
        context.report.error(path, message, hint)
    return None


def _is_unsure(context: Context, text: str) -> bool:
    return bool(context.unsure) and not context.unsure.isdisjoint(base_names(text))


def _article(kind: Type) -> str:
    words: dict[Type, str] = {
        "string": "text",
        "number": "a number",
        "boolean": "a boolean",
        "timestamp": "a timestamp",
        "interval": "an interval",
        "strings": "a list of texts",
        "numbers": "a list of numbers",
        "list": "a list",
    }
    return words.get(kind, "an untyped value")


def resolve_triggers(
    context: Context, path: Path, raw: str | list[str] | dict[str, str | int | float | bool | None]
) -> tuple[Trigger, ...]:
    """Return the entries of `on`, `delete_on` or `clear_on`: each key event once, in order."""
    entries: list[tuple[str, str | float | bool | None, Path]]
    if isinstance(raw, str):
        entries = [(raw, None, path)]
    elif isinstance(raw, list):
        entries = [(name, None, (*path, at)) for at, name in enumerate(raw)]
    else:
        entries = [(name, where, (*path, name)) for name, where in raw.items()]
        entries += [(name, None, (*path, name)) for name in sorted(context.report.broken_under(path))]
    if not entries and path not in context.report.broken:
        context.report.error(path, "expected at least one key event, got none")
    triggers: dict[str, Trigger] = {}
    for name, where, place in entries:
        if not check_key_event(context, place, name, key=isinstance(raw, dict)):
            continue
        if name in triggers:
            context.report.error(place, f"the key event {quoted(name)} is given twice")
        condition = None
        if where is not None:
            scope = context.event_scope(context.table_of(name))
            condition = compile_at(context, place, where, scope, CONDITION)
        # TOML has no null: a filter that is always true says the same.
        is_filter = condition is not None and always(condition) is not True
        triggers.setdefault(name, Trigger(name, condition if is_filter else None))
    return tuple(triggers.values())


def always(condition: Expression) -> bool | None:
    """Return what a condition always comes to, False for unknown; None if it reads anything."""
    return walk(condition, _read_nothing) is True if condition.constant else None


def _read_nothing(ref: Ref) -> object:
    raise AssertionError(ref.kind)


def check_key_event(context: Context, path: Path, name: str, *, key: bool = False) -> bool:
    """Check that `name`, written at `path`, is a key event."""
    if name in context.key_events:
        return True
    hint = context.report.choice(name, context.key_events)
    context.report.error(path, f"expected a key event, got {quoted(name)}", hint, key=key)
    return False


def resolve_by_key_event(
    context: Context,
    path: Path,
    raw: str | float | bool | Mapping[str, str | int | float | bool],
    key_events: Sequence[str],
    place: Place,
    *,
    fallbacks: Mapping[str, str] | None = None,
) -> dict[str, Expression]:
    """Return an expression for each of `key_events`.

    raw: one expression for all, or one for each by name.
    fallbacks: key event → the one whose expression it uses where it has none of its own.
    """
    if not isinstance(raw, Mapping):
        return _shared(context, path, raw, key_events, place)
    check_named(context, path, raw, key_events)
    known = {*raw, *context.report.broken_under(path)}
    found: dict[str, Expression] = {}
    for name in key_events:
        source = name if name in known else (fallbacks or {}).get(name, name)
        if source not in known:
            context.report.error(path, f"missing {quoted(name)}: expected an expression for each key event")
        if source in raw:
            scope = context.event_scope(context.table_of(name))
            expression = compile_at(context, (*path, source), raw[source], scope, place)
            if expression is not None:
                found[name] = expression
    return found


def _shared(
    context: Context, path: Path, raw: str | float | bool, key_events: Sequence[str], place: Place
) -> dict[str, Expression]:
    found: dict[str, Expression] = {}
    for name in key_events:
        expression = compile_at(context, path, raw, context.event_scope(context.table_of(name)), place)
        if expression is not None:
            found[name] = expression
    if not key_events:
        # `on` is broken; the expression is looked at all the same.
        compile_at(context, path, raw, context.event_scope(None), place)
    return found


def check_named(context: Context, path: Path, names: Iterable[str], key_events: Sequence[str]) -> None:
    """Check that the keys of a mapping by key event are key events that `on` names."""
    for name in names:
        if name in key_events or not key_events:
            continue
        place = (*path, name)
        if check_key_event(context, place, name, key=True):
            message = f'expected a key event of "on", got {quoted(name)}'
            context.report.error(place, message, context.report.choice("", key_events), key=True)
