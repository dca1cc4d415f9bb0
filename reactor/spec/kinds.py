"""Attributes of the kinds that have a value of their own: all but computed ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from msgspec import UNSET, UnsetType

from reactor.criteria import Name
from reactor.spec import raw
from reactor.spec.context import Context
from reactor.spec.expressions import (
    ANY_VALUE,
    ITEM,
    NUMBER,
    Place,
    column_text,
    of_dtype,
    resolve_by_key_event,
    resolve_triggers,
)
from reactor.spec.ground import resolve_duration
from reactor.spec.model import (
    Aggregation,
    AggregationKind,
    Backfill,
    ByKeyEvent,
    Counter,
    DType,
    Imported,
    ListAttribute,
    Single,
    Total,
    Trigger,
    Window,
)
from reactor.spec.naming import check_name
from reactor.spec.node import Path, quoted
from reactor.units import DAY_MS, HOUR_MS, format_duration, pane_of

_KINDS: Final[tuple[AggregationKind, ...]] = ("first", "last", "sum", "min", "max", "distinct", "count")
_PART_NAMES: Final[Mapping[AggregationKind, Name]] = {
    "first": Name("untyped"),
    "last": Name("untyped"),
    "sum": Name("number", nullable=False),
    "min": Name("number"),
    "max": Name("number"),
    "distinct": Name("list", nullable=False),
    "count": Name("number", nullable=False),
}
_DEFAULT_ITEMS: Final = 100
_DEFAULT_SPAN_MS: Final = 60 * DAY_MS
_DEFAULT_DECIMALS: Final = 6


def resolve_imported(context: Context, path: Path, name: str, entry: raw.Imported) -> Imported:
    """Return an imported attribute, and declare its name."""
    dtype = _dtype(context, name, entry.dtype)
    column = name if entry.column is UNSET else entry.column
    if not column:
        context.report.error((*path, "column"), "expected the name of a column, got an empty text")
    context.declare(name, name, Name(dtype))
    if entry.sensitive is UNSET:
        context.unwritten[name] = path
    return Imported(name, column, dtype, entry.sensitive is True)


def _dtype(context: Context, name: str, dtype: DType | UnsetType) -> DType:
    if dtype is UNSET:
        context.unsure.add(name)
        return "string"
    return dtype


def resolve_single(context: Context, path: Path, name: str, entry: raw.Single) -> Single:
    """Return a single attribute, and declare its name and its time."""
    on = _triggers(context, (*path, "on"), entry.on)
    dtype = _dtype(context, name, entry.dtype)
    place = ANY_VALUE if entry.dtype is UNSET else of_dtype(dtype)
    value = _by_key_event(context, (*path, "value"), entry.value, _names_of(on), place)
    ttl = resolve_duration(context, (*path, "ttl"), entry.ttl, context.limits.window_ms)
    known = None if entry.dtype is UNSET else dtype
    backfill = _backfill(context, (*path, "backfill"), entry.backfill, known)
    sensitive = entry.sensitive is True
    if backfill is not None:
        inherited = [part for part in (backfill.value, backfill.time) if _is_sensitive(context, part)]
        sensitive = sensitive or bool(inherited)
        if inherited and entry.sensitive is False:
            message = (
                f"expected true, for {quoted(inherited[0])}, which backfills it, is sensitive; got false"
            )
            context.report.error((*path, "sensitive"), message)
    if entry.sensitive is UNSET and not sensitive:
        context.unwritten[name] = path
        context.unwritten[f"{name}.time"] = path
    context.declare(name, name, Name(dtype))
    context.declare(name, f"{name}.time", Name("timestamp"))
    return Single(name, on, value, dtype, ttl, backfill, sensitive, _was(context, path, entry.was))


def _is_sensitive(context: Context, name: str) -> bool:
    attribute = context.attributes.get(name)
    return isinstance(attribute, Imported) and attribute.sensitive


def _triggers(
    context: Context, path: Path, on: str | list[str] | dict[str, str | int | float | bool | None] | UnsetType
) -> tuple[Trigger, ...]:
    return () if on is UNSET else resolve_triggers(context, path, on)


def _names_of(triggers: Sequence[Trigger]) -> tuple[str, ...]:
    return tuple(trigger.key_event for trigger in triggers)


def _by_key_event(
    context: Context,
    path: Path,
    entry: str | int | float | bool | dict[str, str | int | float | bool] | UnsetType,
    key_events: Sequence[str],
    place: Place,
    fallbacks: Mapping[str, str] | None = None,
) -> ByKeyEvent:
    if entry is UNSET:
        return {}
    return resolve_by_key_event(context, path, entry, key_events, place, fallbacks=fallbacks)


def _was(context: Context, path: Path, was: str | UnsetType) -> str | None:
    """Return the former name; no attribute may have it now, nor two have had it."""
    if was is UNSET:
        return None
    place = (*path, "was")
    if context.given(("attributes", was)):
        message = f"expected a name that no attribute has now, got {quoted(was)}"
        context.report.error(place, message)
    for other in context.attributes.values():
        if getattr(other, "was", None) == was:
            context.report.error(place, f"{quoted(was)} is already the former name of {quoted(other.name)}")
    return was


def _backfill(
    context: Context, path: Path, entry: raw.Backfill | UnsetType, dtype: DType | None
) -> Backfill | None:
    """Return a backfill; its names are imported attributes, which need not be declared.

    dtype: of the value; None where it is not known.
    """
    if entry is UNSET:
        return None
    if entry.value is not UNSET:
        _check_backfilled(context, (*path, "value"), entry.value, dtype)
    if entry.time is not UNSET:
        _check_backfilled(context, (*path, "time"), entry.time, "timestamp")
    if entry.value is UNSET or entry.time is UNSET:
        return None
    return Backfill(entry.value, entry.time)


def _check_backfilled(context: Context, path: Path, name: str, dtype: DType | None) -> None:
    found = context.attributes.get(name)
    written = context.report.root.find(("attributes", name))
    if isinstance(found, Imported):
        if dtype is not None and found.dtype != dtype and name not in context.unsure:
            message = f"expected an imported attribute of dtype {dtype}"
            context.report.error(path, f"{message}, got {quoted(name)} of dtype {found.dtype}")
    elif written is None:
        _import_implicitly(context, path, name, dtype or "string")
    elif name not in context.unsure:
        kind = written.child("type")
        got = f", a {kind.value} attribute" if kind is not None else ""
        context.report.error(path, f"expected an imported attribute, got {quoted(name)}{got}")


def _import_implicitly(context: Context, path: Path, name: str, dtype: DType) -> None:
    """Declare the imported attribute that only a backfill names."""
    if name in context.keys:
        context.report.error(path, f"expected an imported attribute, got the stitching key {quoted(name)}")
        return
    if not check_name(context.report, (*path[:-1], name), "an imported attribute", context.limits.name):
        return
    imported = [
        other
        for other, found in context.attributes.items()
        if isinstance(found, Imported) and context.given(("attributes", other))
    ]
    hint = context.report.hint(name, imported) or f"declare it: {name}: {{type: imported, dtype: {dtype}}}"
    context.report.warn(path, f"{quoted(name)} is not declared: it is imported with dtype {dtype}", hint)
    context.attributes[name] = Imported(name, name, dtype, sensitive=False)
    context.declare(name, name, Name(dtype))


def resolve_list(context: Context, path: Path, name: str, entry: raw.ListAttribute) -> ListAttribute:
    """Return a list, and declare its parts."""
    on = _triggers(context, (*path, "on"), entry.on)
    delete_on = _triggers(context, (*path, "delete_on"), entry.delete_on)
    clear_on = _triggers(context, (*path, "clear_on"), entry.clear_on)
    deleting = tuple(name for name in _names_of(delete_on) if name not in _names_of(on))
    both = _names_of(on) + deleting
    fallbacks = _same_table(context, _names_of(on), deleting)
    item = _by_key_event(context, (*path, "item"), entry.item, both, ITEM, fallbacks)
    fields = _fields(context, (*path, "fields"), entry.fields, _names_of(on))
    limits = context.limits
    max_items = min(_DEFAULT_ITEMS, limits.items) if entry.max_items is UNSET else entry.max_items
    if max_items > limits.items:
        message = f"expected at most {limits.items} items, got {max_items}"
        context.report.error((*path, "max_items"), message, "raise it with limits.items")
    default = min(_DEFAULT_SPAN_MS, limits.window_ms)
    ttl = resolve_duration(context, (*path, "ttl"), entry.ttl, limits.window_ms) or default
    aggregations = _aggregations(context, path, name, entry, set(fields))
    return ListAttribute(
        name=name,
        on=on,
        item=item,
        fields=fields,
        unique=entry.unique is True,
        max_items=max_items,
        ttl_ms=ttl,
        aggregations=aggregations,
        delete_on=delete_on,
        clear_on=clear_on,
        was=_was(context, path, entry.was),
    )


def _same_table(context: Context, adding: Sequence[str], deleting: Sequence[str]) -> dict[str, str]:
    """Return, for a deleting key event, the first adding one over the same table.

    A mapping of items says how each adding key event names its item; an event of the same
    table that takes an item back names it the same way.
    """
    found: dict[str, str] = {}
    for name in deleting:
        table = context.table_of(name)
        for other in adding:
            if table is not None and context.table_of(other) == table:
                found.setdefault(name, other)
    return found


def _fields(
    context: Context,
    path: Path,
    entry: list[str] | dict[str, str | int | float | bool | dict[str, str | int | float | bool]] | UnsetType,
    key_events: Sequence[str],
) -> dict[str, ByKeyEvent]:
    if entry is UNSET:
        return {}
    fields: dict[str, ByKeyEvent] = {}
    for at, name in enumerate(entry):
        place = (*path, at) if isinstance(entry, list) else (*path, name)
        if name == "item":
            message = 'expected another name for a field: "item" is the item itself'
            context.report.error(place, message, key=True)
        elif not name or len(name) > context.limits.name:
            message = f"expected a name of 1 to {context.limits.name} characters for a field, got {len(name)}"
            context.report.error(place, message, key=True)
        elif name in fields:
            context.report.error(place, f"the field {quoted(name)} is given twice")
        value = column_text(name) if isinstance(entry, list) else entry[name]
        fields[name] = _by_key_event(context, place, value, key_events, ITEM)
    if len(fields) > context.limits.fields:
        message = f"expected at most {context.limits.fields} fields, got {len(fields)}"
        context.report.error(path, message, "raise it with limits.fields")
    return fields


def _aggregations(
    context: Context, path: Path, name: str, entry: raw.ListAttribute, fields: set[str]
) -> dict[str, Aggregation]:
    place = (*path, "aggregations")
    if entry.aggregations is UNSET:
        if context.given(place):
            context.unsure.add(name)
        return {}
    found: dict[str, Aggregation] = {}
    columns = {"item", *fields, *context.report.broken_under((*path, "fields"))}
    for part, aggregation in entry.aggregations.items():
        check_name(context.report, (*place, part), "an aggregation", context.limits.name)
        sensitive = entry.sensitive if aggregation.sensitive is UNSET else aggregation.sensitive
        if sensitive is UNSET:
            context.unwritten[f"{name}.{part}"] = (*place, part)
        kind = _kind(context, (*place, part), aggregation, columns)
        context.declare(name, f"{name}.{part}", _PART_NAMES[kind] if kind else Name("untyped"))
        if kind is not None:
            column = str(getattr(aggregation, kind))
            found[part] = Aggregation(part, kind, column, sensitive is True)
        else:
            context.unsure.add(name)
    for part in context.report.broken_under(place):
        context.declare(name, f"{name}.{part}", Name("untyped"))
        context.unsure.add(name)
    return found


def _kind(
    context: Context, path: Path, aggregation: raw.Aggregation, columns: set[str]
) -> AggregationKind | None:
    """Return the one kind an aggregation has; None when it has none or several."""
    kinds = [kind for kind in _KINDS if getattr(aggregation, kind) is not UNSET]
    if len(kinds) != 1:
        got = " and ".join(kinds) if kinds else "none"
        # A kind that is unknown, or has a wrong column, is reported already.
        node = context.report.root.find(path)
        written = set(node.value) if node is not None and isinstance(node.value, dict) else set()
        if kinds or written <= {"sensitive", "description"}:
            context.report.error(path, f"expected one of {', '.join(_KINDS)}, got {got}")
        return None
    column = str(getattr(aggregation, kinds[0]))
    if column not in columns:
        hint = context.report.hint(column, sorted(columns))
        message = f'expected "item" or the name of a field, got {quoted(column)}'
        context.report.error((*path, kinds[0]), message, hint or "declare it under fields")
    return kinds[0]


def resolve_counter(context: Context, path: Path, name: str, entry: raw.Counter) -> Counter:
    """Return a sliding counter, and declare its name and its sub-windows."""
    on = _triggers(context, (*path, "on"), entry.on)
    increment, decimals = _increment(context, path, entry, _names_of(on))
    context.declare(name, name, Name("number", nullable=False))
    windows = _windows(context, path, name, entry)
    return Counter(name, on, increment, decimals, windows, _was(context, path, entry.was))


def _increment(
    context: Context, path: Path, entry: raw.Counter | raw.Total, key_events: Sequence[str]
) -> tuple[ByKeyEvent | None, int]:
    """Return the increment, None for 1, and its decimals."""
    if entry.increment is UNSET:
        if entry.decimals is not UNSET:
            message = "decimals has no effect: without an increment, 1 is added"
            context.report.warn((*path, "decimals"), message)
        return None, 0
    increment = _by_key_event(context, (*path, "increment"), entry.increment, key_events, NUMBER)
    return increment, _DEFAULT_DECIMALS if entry.decimals is UNSET else entry.decimals


def _windows(context: Context, path: Path, name: str, entry: raw.Counter) -> tuple[Window, ...]:
    most = context.limits.sliding_window_ms
    pane = resolve_duration(context, (*path, "pane"), entry.pane, most)
    own_path = (*path, "window")
    own = resolve_duration(context, own_path, entry.window, most)
    windows = []
    if own is not None and isinstance(entry.window, str):
        windows.append(_window(context, own_path, None, entry.window, own, pane))
    subs = {} if entry.sub_windows is UNSET else entry.sub_windows
    for part, text in subs.items():
        place = (*path, "sub_windows", part)
        check_name(context.report, place, "a sub-window", context.limits.name)
        context.declare(name, f"{name}.{part}", Name("number", nullable=False))
        length = resolve_duration(context, place, text, most)
        if length is None:
            continue
        if own is not None and length > own:
            message = f"expected at most the counter's own window, {entry.window}, got {text}"
            context.report.error(place, message)
        windows.append(_window(context, place, part, text, length, pane))
    for part in context.report.broken_under((*path, "sub_windows")):
        context.declare(name, f"{name}.{part}", Name("number", nullable=False))
    if entry.sub_windows is UNSET and context.given((*path, "sub_windows")):
        context.unsure.add(name)
    if len(subs) > context.limits.sub_windows:
        message = f"expected at most {context.limits.sub_windows} sub-windows, got {len(subs)}"
        context.report.error((*path, "sub_windows"), message, "raise it with limits.sub_windows")
    _assert_nested(windows)
    return tuple(windows)


def _window(
    context: Context, path: Path, name: str | None, text: str, length: int, pane: int | None
) -> Window:
    width = pane_of(text) if pane is None else pane
    if width > length:
        message = f"expected a window of at least one pane, {format_duration(width)}, got {text}"
        context.report.error(path, message, "make the counter's pane smaller")
    panes = -(-length // width)
    if panes > context.limits.panes:
        message = f"expected at most {context.limits.panes} panes"
        got = f"got {text} in {panes} of {format_duration(width)}"
        context.report.error(path, f"{message}, {got}", _coarser(text, length))
    return Window(name, length, width)


def _coarser(text: str, length: int) -> str:
    written = format_duration(length)
    proposed = f"write {written}, which has wider panes, or " if pane_of(written) > pane_of(text) else ""
    return f"{proposed}set a wider pane"


def _assert_nested(windows: Sequence[Window]) -> None:
    # True by construction: the widths are a second, a minute and an hour, or all the same.
    widths = sorted({window.pane_ms for window in windows})
    for finer, coarser in pairwise(widths):
        assert coarser % finer == 0


def resolve_total(context: Context, path: Path, name: str, entry: raw.Total) -> Total:
    """Return a total counter, and declare its name."""
    on = _triggers(context, (*path, "on"), entry.on)
    increment, decimals = _increment(context, path, entry, _names_of(on))
    backfill = _backfill(context, (*path, "backfill"), entry.backfill, "number")
    for part in ("value", "time") if backfill is not None else ():
        if _is_sensitive(context, getattr(backfill, part)):
            message = "expected an imported attribute that is not sensitive, for counters are never redacted"
            name_of = quoted(getattr(backfill, part))
            context.report.error((*path, "backfill", part), f"{message}; got {name_of}")
    discard: int | None = None
    if entry.discard != "never":
        default, most = min(_DEFAULT_SPAN_MS, context.limits.window_ms), context.limits.window_ms
        discard = resolve_duration(context, (*path, "discard"), entry.discard, most) or default
    elif entry.backfill is not UNSET:
        message = 'expected a duration such as "60d", for the counter has a backfill; got "never"'
        hint = "only the panes after the backfill's time are added to it"
        context.report.error((*path, "discard"), message, hint)
    context.declare(name, name, Name("number", nullable=False))
    pane = DAY_MS if backfill is None else HOUR_MS
    was = _was(context, path, entry.was)
    return Total(name, on, increment, decimals, discard, pane, backfill, was)
