"""What attributes and sections stand on: limits, tables, identity, key events, segments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from msgspec import UNSET, UnsetType

from reactor.criteria import Expression, Type, regexp
from reactor.spec import raw
from reactor.spec.context import Context
from reactor.spec.expressions import ANY_VALUE, CONDITION, compile_at
from reactor.spec.model import Key, KeyEvent, Limits, Table
from reactor.spec.naming import check_length, check_name, check_reserved
from reactor.spec.node import Path, quoted
from reactor.spec.report import Report
from reactor.units import DAY_MS, MINUTE_MS, format_duration, parse_duration, parse_size

DEFAULT_LIMITS: Final = Limits(
    sliding_window_ms=90 * DAY_MS,
    window_ms=60 * DAY_MS,
    items=100,
    keys=200,
    attributes=200,
    tables=100,
    sub_windows=20,
    associations=200,
    panes=10_000,
    fields=20,
    name=256,
    event_bytes=1_000_000,
    value_bytes=2_048,
    identifier_bytes=512,
    clock_skew_ms=5 * MINUTE_MS,
    idle_ms=None,
    profiles=None,
    memory_bytes=None,
    when_full="evict",
)

_COUNTS: Final = (
    "items",
    "keys",
    "attributes",
    "tables",
    "sub_windows",
    "associations",
    "panes",
    "fields",
    "name",
    "value_bytes",
    "identifier_bytes",
)
_TIME_TYPES: Final[frozenset[Type]] = frozenset({"timestamp", "number", "string", "untyped"})
_ENVIRONMENT = re.compile(r"\$\{([^}]*)(\}?)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def resolve_limits(report: Report, limits: raw.Limits | UnsetType) -> Limits:
    """Return the limits, with defaults for those that are not written."""
    if limits is UNSET:
        return DEFAULT_LIMITS
    default, path = DEFAULT_LIMITS, ("limits",)
    window = _duration(report, (*path, "window"), limits.window)
    counts = {name: getattr(limits, name) for name in _COUNTS if getattr(limits, name) is not UNSET}
    skew = 0 if limits.clock_skew == "0s" else _duration(report, (*path, "clock_skew"), limits.clock_skew)
    event_bytes = _size(report, (*path, "event"), limits.event)
    return Limits(
        sliding_window_ms=window or default.sliding_window_ms,
        window_ms=window or default.window_ms,
        event_bytes=event_bytes or default.event_bytes,
        clock_skew_ms=default.clock_skew_ms if skew is None else skew,
        idle_ms=_duration(report, (*path, "idle"), limits.idle),
        profiles=None if limits.profiles is UNSET else limits.profiles,
        memory_bytes=_size(report, (*path, "memory"), limits.memory),
        when_full="evict" if limits.when_full is UNSET else limits.when_full,
        **{name: counts.get(name, getattr(default, name)) for name in _COUNTS},
    )


def _duration(report: Report, path: Path, text: str | UnsetType | None) -> int | None:
    """Return a duration in ms; None where none is written or usable."""
    if not isinstance(text, str):
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        message = str(error)
    report.error(path, f"{message}, got the text {quoted(text)}")
    return None


def resolve_duration(context: Context, path: Path, text: str | UnsetType, most: int) -> int | None:
    """Return a duration in ms, at most `most`; None where none is written or usable."""
    duration = _duration(context.report, path, text)
    if duration is not None and duration > most and isinstance(text, str):
        hint = "raise it with limits.window"
        message = f"expected at most {quoted(format_duration(most))}, got the text {quoted(text)}"
        context.report.error(path, message, hint)
        return None
    return duration


def _size(report: Report, path: Path, text: str | UnsetType | None) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        return parse_size(text)
    except ValueError as error:
        message = str(error)
    report.error(path, f"{message}, got the text {quoted(text)}")
    return None


def resolve_tables(context: Context, tables: dict[str, raw.Table | None] | list[str] | UnsetType) -> None:
    """Resolve the listed tables; those that only a key event names come with the key events."""
    if tables is UNSET:
        return
    if isinstance(tables, list):
        tables = dict.fromkeys(tables)
    for name, entry in tables.items():
        path = ("tables", name)
        check_length(context.report, path, "a table", context.limits.name)
        context.tables[name] = _table(context, path, name, entry or raw.Table())
    for name in context.report.broken_under(("tables",)):
        context.tables[name] = Table(name)


def _table(context: Context, path: Path, name: str, entry: raw.Table) -> Table:
    columns = {} if entry.columns is UNSET else _columns(context, (*path, "columns"), entry.columns)
    time = "time" if entry.time is UNSET else entry.time
    made = columns.get(time)
    if made is not None and made.type not in _TIME_TYPES:
        message = f"expected a column that holds times, got {quoted(time)}, which is made as {made.type}"
        context.report.error((*path, "time"), message, "write CAST(… AS timestamp)")
    if not time:
        context.report.error((*path, "time"), "expected the name of a column, got an empty text")
    timezone = None if entry.timezone is UNSET else _timezone(context, (*path, "timezone"), entry.timezone)
    return Table(name, time, timezone, columns)


def _columns(
    context: Context, path: Path, columns: Mapping[str, str | int | float | bool]
) -> dict[str, Expression]:
    made = {}
    for name, text in columns.items():
        check_length(context.report, (*path, name), "a column", context.limits.name)
        expression = compile_at(context, (*path, name), text, context.raw_scope, ANY_VALUE)
        if expression is None:
            context.unsure.add(name)
        else:
            made[name] = expression
    return made


def _timezone(context: Context, path: Path, name: str) -> str | None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = False
    else:
        known = True
    if known:
        return None if name == "UTC" else name
    hint = context.report.hint(name, available_timezones())
    context.report.error(path, f'expected an IANA timezone such as "Europe/London", got {quoted(name)}', hint)
    return None


def resolve_identity(context: Context, identity: raw.Identity | UnsetType) -> tuple[str | None, str]:
    """Resolve the stitching keys; return the lookup key and the secret."""
    if identity is UNSET:
        return None, ""
    path: Path = ("identity", "keys")
    keys = {} if identity.keys is UNSET else identity.keys
    if isinstance(keys, list):
        _check_distinct(context, path, keys)
        keys = dict.fromkeys(keys)
    for name, entry in keys.items():
        context.keys[name] = _key(context, (*path, name), name, entry or raw.Key())
    for name in sorted(context.report.broken_under(path)):
        context.keys.setdefault(name, Key(name, None, frozenset(), False))
    if len(context.keys) > context.limits.keys:
        _too_many(context, path, "stitching keys", len(context.keys), context.limits.keys, "keys")
    lookup = None if identity.lookup_key is UNSET else _lookup_key(context, identity.lookup_key)
    secret = "" if identity.secret is UNSET else _secret(context, identity.secret)
    return lookup, secret


def _check_distinct(context: Context, path: Path, names: list[str]) -> None:
    for at, name in enumerate(names):
        if name in names[:at]:
            context.report.error((*path, at), f"{quoted(name)} is given twice")


def _too_many(context: Context, path: Path, what: str, got: int, most: int, limit: str) -> None:
    context.report.error(path, f"expected at most {most} {what}, got {got}", f"raise it with limits.{limit}")


def _key(context: Context, path: Path, name: str, entry: raw.Key) -> Key:
    check_reserved(context.report, path, "a stitching key")
    check_length(context.report, path, "a stitching key", context.limits.name)
    for table in context.tables.values():
        made = table.columns.get(name)
        if made is not None and made.type not in ("string", "untyped"):
            place = ("tables", table.name, "columns", name)
            message = (
                f"expected text, for {quoted(name)} is a stitching key; got an expression of type {made.type}"
            )
            context.report.error(place, message, "write CAST(… AS varchar)")
    valid = None if entry.valid is UNSET else _pattern(context, (*path, "valid"), entry.valid)
    invalid = frozenset() if entry.invalid is UNSET else frozenset(entry.invalid)
    return Key(name, valid, invalid, entry.internal is True)


def _pattern(context: Context, path: Path, pattern: str) -> str | None:
    try:
        regexp.check(pattern)
    except regexp.RegexpError as error:
        reason = str(error)
    else:
        return pattern
    context.report.error(path, f"expected a pattern of RE2, got {quoted(pattern)}: {reason}")
    return None


def _lookup_key(context: Context, name: str) -> str | None:
    path = ("identity", "lookup_key")
    key = context.keys.get(name)
    if key is None:
        hint = context.report.choice(name, context.keys)
        context.report.error(path, f"expected one of the stitching keys, got {quoted(name)}", hint)
        return None
    if key.internal:
        message = f"expected a stitching key that events carry, got {quoted(name)}, which is internal"
        context.report.error(path, message)
    return name


def _secret(context: Context, text: str) -> str:
    path = ("identity", "secret")
    parts, end = [], 0
    for match in _ENVIRONMENT.finditer(text):
        parts.append(text[end : match.start()])
        end = match.end()
        name = match[1]
        if not match[2] or not _VARIABLE.fullmatch(name):
            context.report.error(path, "expected ${NAME} with the name of a variable, got another use of ${")
        elif name not in context.environ:
            context.report.error(path, f"the environment has no variable {quoted(name)}", f"set {name}")
        else:
            parts.append(context.environ[name])
    return "".join([*parts, text[end:]])


def resolve_key_events(context: Context, key_events: dict[str, str | raw.KeyEvent] | UnsetType) -> None:
    """Resolve the key events, and the tables that only they name."""
    path: Path = ("key_events",)
    for name, entry in ({} if key_events is UNSET else key_events).items():
        check_name(context.report, (*path, name), "a key event", context.limits.name)
        context.key_events[name] = _key_event(context, (*path, name), name, entry)
    for name in sorted(context.report.broken_under(path)):
        context.key_events.setdefault(name, None)
    if len(context.tables) > context.limits.tables:
        place = ("tables",) if context.given(("tables",)) else path
        _too_many(context, place, "tables", len(context.tables), context.limits.tables, "tables")


def _key_event(context: Context, path: Path, name: str, entry: str | raw.KeyEvent) -> KeyEvent | None:
    if isinstance(entry, str):
        entry, place = raw.KeyEvent(table=entry), path
    else:
        place = (*path, "table")
    table: str | None = None
    if isinstance(entry.table, str):
        table = entry.table
        if not 0 < len(table) <= context.limits.name:
            message = f"expected the name of a table, of 1 to {context.limits.name} characters"
            got = f"got {len(table)} characters" if table else "got an empty text"
            context.report.error(place, f"{message}, {got}")
        context.tables.setdefault(table, Table(table))
    where = None
    if entry.where is not UNSET:
        where = compile_at(context, (*path, "where"), entry.where, context.event_scope(table), CONDITION)
    return None if table is None else KeyEvent(name, table, where)


def resolve_segments(context: Context, segments: dict[str, str] | UnsetType) -> None:
    """Resolve the batch segments."""
    path: Path = ("segments",)
    for segment, name in ({} if segments is UNSET else segments).items():
        check_length(context.report, (*path, segment), "a segment", context.limits.name)
        context.segments[segment] = name
    context.segment_ids = frozenset(context.segments) | context.report.broken_under(path)
