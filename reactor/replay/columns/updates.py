"""What events do to one attribute, found over the events, then laid out over the sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from reactor.attributes.kind import MOST_INCREMENT, scaled, to_dtype
from reactor.replay.columns.column import Coded, Column, Mask, Numbers, Rows, as_coded, concatenate
from reactor.replay.columns.events import EventTable
from reactor.replay.columns.lists import ListColumns, Steps
from reactor.replay.columns.ordering import order_of
from reactor.replay.columns.sequences import Layout
from reactor.spec.model import Counter, ListAttribute, Single, Total

MOST_SUM: Final = 2**62  # sums of columns are kept below it; a double holds the check's own sums well enough
_EXACT: Final = 2**53


class Found(msgspec.Struct, frozen=True, eq=False):
    """What some events bring: their places in the history, ascending, and a value of each."""

    events: Rows
    column: Column

    def laid_out(self, layout: Layout) -> tuple[Rows, Rows]:
        """Return where in the layout they stand, ascending, and which each is."""
        return places_of(self.events, layout)


def places_of(events: Rows, layout: Layout) -> tuple[Rows, Rows]:
    """Return the places of some events in the layout, ascending, and the number of each in `events`."""
    number = np.full(len(layout.place_of), -1, dtype=np.int32)
    number[events] = np.arange(len(events), dtype=np.int32)
    found = number[layout.event]
    places = np.flatnonzero(found >= 0)
    return places, found[places].astype(np.int64)


def joined(parts: Sequence[tuple[Rows, Column]]) -> Found:
    """Return what was found table by table in the order of events."""
    parts = [part for part in parts if len(part[0])]
    if not parts:
        return Found(np.zeros(0, dtype=np.int64), Coded(np.zeros(0, dtype=np.int32), []))
    events = np.concatenate([events for events, _ in parts])
    column = parts[0][1] if len(parts) == 1 else concatenate([column for _, column in parts])
    if np.all(events[1:] > events[:-1]):
        return Found(events, column)
    order = order_of(events)
    return Found(events[order], column.take(order))


def single_updates(tables: Sequence[EventTable], attribute: Single, text_bytes: int) -> Found:
    """Return the values that a single takes on."""
    parts = []
    for table in tables:
        for key_event, rows in table.cases(attribute.on):
            expression = attribute.value[key_event]
            column = table.kept_value(expression, rows)
            if expression.type == "untyped":
                column = _read_as(as_coded(column), attribute, text_bytes)
            is_there = ~column.null()
            parts.append((table.places[rows[is_there]], column.take(is_there)))
    return joined(parts)


def _read_as(column: Coded, attribute: Single, text_bytes: int) -> Column:
    dtype = attribute.dtype
    if dtype == "string" and all(value.__class__ is str for value in column.values):
        return column

    def read(value: Any) -> Any:
        if dtype == "string" and value.__class__ is str:
            return value
        return to_dtype(value, dtype, text_bytes)

    return column.map(read)


def weights_of(tables: Sequence[EventTable], attribute: Counter | Total) -> tuple[Rows, NDArray[Any], Rows]:
    """Return events and what each adds, in units of 10**-decimals; and those that add more than fits."""
    found, weights, wide = [], [], []
    scale = 10**attribute.decimals
    for table in tables:
        for key_event, rows in table.cases(attribute.on):
            if attribute.increment is None:
                some, added = rows, np.full(len(rows), scale, dtype=np.int64)
            else:
                column = table.value(attribute.increment[key_event], rows)
                added, is_there, is_wide = scaled_column(column, scale)
                wide.append(table.places[rows[is_wide]])
                is_there &= added != 0
                some, added = rows[is_there], added[is_there]
            found.append(table.places[some])
            weights.append(added)
    if not found:
        none = np.zeros(0, dtype=np.int64)
        return none, none, none
    events, added = np.concatenate(found), np.concatenate(weights)
    order = order_of(events)
    return events[order], added[order], np.concatenate(wide) if wide else np.zeros(0, dtype=np.int64)


def scaled_column(column: Column, scale: int) -> tuple[NDArray[np.int64], Mask, Mask]:
    """Return increments as whole numbers of 1/scale, which can be used, and which are too great for 64 bits.

    As `reactor.attributes.kind.scaled`, value by value.
    """
    if not isinstance(column, Numbers) or column.data.dtype == np.int64:
        return _scaled_values(as_coded(column), scale)
    data = column.data
    with np.errstate(invalid="ignore", over="ignore"):
        is_there = (np.abs(data) <= MOST_INCREMENT) & ~column.null()
        product = np.where(is_there, data, 0.0) * scale
        is_wide = np.abs(product) >= _EXACT
        added = np.rint(product).astype(np.int64)
    if is_wide.any():
        # A whole number is scaled as an int, exactly, where the double's product may not be.
        for row in np.flatnonzero(is_wide).tolist():
            exact = scaled(column.take(np.array([row])).tolist()[0], scale)
            assert exact is not None
            is_wide[row] = not -MOST_SUM < exact < MOST_SUM
            added[row] = 0 if is_wide[row] else exact
    return added, is_there, is_wide


def _scaled_values(column: Coded, scale: int) -> tuple[NDArray[np.int64], Mask, Mask]:
    found = [scaled(value, scale) for value in column.values]
    wide = [each is not None and not -MOST_SUM < each < MOST_SUM for each in found]
    added = np.array(
        [*(0 if each is None or is_wide else each for each, is_wide in zip(found, wide, strict=True)), 0],
        dtype=np.int64,
    )
    is_there = np.array([*(each is not None for each in found), False], dtype=np.bool_)
    return added[column.codes], is_there[column.codes], np.array([*wide, False], dtype=np.bool_)[column.codes]


class ListUpdates(msgspec.Struct, frozen=True, eq=False):
    """What events do to a list: items with their fields, deletes with the values they name, clears."""

    items: Found
    fields: list[Column]
    deletes: Found
    clears: Rows


def list_updates(tables: Sequence[EventTable], attribute: ListAttribute) -> ListUpdates:
    """Return what events do to a list."""
    items: list[tuple[Rows, Column]] = []
    fields: list[list[tuple[Rows, Column]]] = [[] for _ in attribute.fields]
    deletes, clears = [], []
    for table in tables:
        for key_event, rows in table.cases(attribute.on):
            column = table.kept_value(attribute.item[key_event], rows)
            is_there = ~column.null()
            rows = rows[is_there]
            items.append((table.places[rows], column.take(is_there)))
            for found, by_key_event in zip(fields, attribute.fields.values(), strict=True):
                found.append((table.places[rows], table.kept_value(by_key_event[key_event], rows)))
        for key_event, rows in table.cases(attribute.delete_on):
            column = table.kept_value(attribute.item[key_event], rows)
            is_there = ~column.null()
            deletes.append((table.places[rows[is_there]], column.take(is_there)))
        clears += [table.places[rows] for _, rows in table.cases(attribute.clear_on)]
    return ListUpdates(
        joined(items),
        [joined(found).column for found in fields],
        joined(deletes),
        np.sort(np.concatenate(clears)) if clears else np.zeros(0, dtype=np.int64),
    )


def list_columns(attribute: ListAttribute, layout: Layout, updates: ListUpdates) -> ListColumns:
    """Return a list, laid out."""
    items, item = updates.items.laid_out(layout)
    deletes, deleted = updates.deletes.laid_out(layout)
    clears, _ = places_of(updates.clears, layout)
    steps = Steps(
        layout.time,
        layout.start[layout.sequence],
        items,
        updates.items.column.take(item),
        [column.take(item) for column in updates.fields],
        deletes,
        updates.deletes.column.take(deleted),
        clears,
    )
    return ListColumns(attribute, steps)
