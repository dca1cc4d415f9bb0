"""Items in a row: what a list attribute holds, and its aggregations.

A list owns row[at : at + 3 + columns]:

    times    event time of each item, ascending; at equal times in order of arrival
    hidden   None, or for each item whether a delete hides it
    memory   None, or [time of the last clear or NEVER, {value key: time of its last delete}]
    item     the value of each item; then one list for each field, None where an item has none

An item that a delete hides keeps its place until newer items push it out, and clears and
deletes are remembered for items that come later: so capacity, deletes, lateness and merging
commute. An unused list shares the template's tuples.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final

import msgspec

from reactor.attributes.kind import Row, scaled
from reactor.attributes.single import NEVER
from reactor.values import as_number, canonical

TIMES: Final = 0
HIDDEN: Final = 1
MEMORY: Final = 2
ITEM: Final = 3
SUM_SCALE: Final = 10**6

_TEXT: Final = frozenset({str})

_encode = msgspec.json.encode
_time_of = itemgetter(0)


class Shape(msgspec.Struct, frozen=True):
    """What the functions below know of a list: its place, its columns (item and fields), its bounds."""

    at: int
    columns: int
    max_items: int
    ttl_ms: int
    unique: bool


def value_key(value: Any) -> Any:
    """Return a hashable that is equal for values of one JSON text: 1 and 1.0; not 1, true and "1".

    >>> value_key(1) == value_key(1.0), value_key(1) == value_key(True), value_key("1") == value_key(1)
    (True, False, False)
    """
    if value.__class__ is bool:
        return (value,)
    if value.__class__ is list:
        return _encode(value)
    return value


def add(row: Row, shape: Shape, time: int, value: Any, fields: tuple[Any, ...], newest_ms: int) -> int:
    """Add an item, or one for each element of an array; return how many live items capacity dropped.

    row: changed in place. value: not None. newest_ms: the profile's newest event time.
    Cost: O(items).
    """
    at = shape.at
    if not row[at]:
        row[at] = []
        row[at + ITEM : at + ITEM + shape.columns] = [[] for _ in range(shape.columns)]
    times = row[at]
    if not shape.unique and row[at + MEMORY] is None and (not times or time >= times[-1]):
        return _append(row, shape, time, value, fields, newest_ms)
    dropped = 0
    for element in value if value.__class__ is list else (value,):
        if shape.unique and not _make_room(row, at, time, element, shape.columns):
            continue
        dropped += _insert(row, shape, time, (element, *fields), newest_ms)
    if not row[at]:
        _reset(row, shape)
    return dropped


def _append(row: Row, shape: Shape, time: int, value: Any, fields: tuple[Any, ...], newest_ms: int) -> int:
    """As `add`, for items that are the newest, where no delete or clear is remembered."""
    at = shape.at
    times = row[at]
    elements = value if value.__class__ is list else [value]
    times += [time] * len(elements)
    row[at + ITEM] += elements
    for column, field in enumerate(fields, at + ITEM + 1):
        row[column] += [field] * len(elements)
    excess = len(times) - shape.max_items
    dropped = 0
    if excess > 0:
        dropped = sum(newest_ms - each < shape.ttl_ms for each in times[:excess])
        for column in (at, *range(at + ITEM, at + ITEM + shape.columns)):
            del row[column][:excess]
    if not times:
        _reset(row, shape)
    return dropped


def _make_room(row: Row, at: int, time: int, value: Any, columns: int) -> bool:
    """Remove the item that a newer one of the same value replaces; False if that one is the newer."""
    key, items = value_key(value), row[at + ITEM]
    for place, item in enumerate(items):
        if value_key(item) == key:
            if row[at][place] > time:
                return False
            _remove(row, at, columns, place)
            break
    return True


def _remove(row: Row, at: int, columns: int, place: int) -> None:
    del row[at][place]
    if row[at + HIDDEN] is not None:
        del row[at + HIDDEN][place]
    for column in range(at + ITEM, at + ITEM + columns):
        del row[column][place]


def _insert(row: Row, shape: Shape, time: int, values: tuple[Any, ...], newest_ms: int) -> int:
    at = shape.at
    memory = row[at + MEMORY]
    is_hidden = False
    if memory is not None:
        if memory[0] >= time:
            return 0
        is_hidden = memory[1].get(value_key(values[0]), NEVER) >= time
    times, hidden = row[at], row[at + HIDDEN]
    place = bisect_right(times, time)
    times.insert(place, time)
    if hidden is not None:
        hidden.insert(place, is_hidden)
    elif is_hidden:
        row[at + HIDDEN] = [index == place for index in range(len(times))]
    for column, value in enumerate(values, at + ITEM):
        row[column].insert(place, value)
    if len(times) <= shape.max_items:
        return 0
    was_live = newest_ms - times[0] < shape.ttl_ms and not (row[at + HIDDEN] and row[at + HIDDEN][0])
    _remove(row, at, shape.columns, 0)
    return int(was_live)


def _reset(row: Row, shape: Shape) -> None:
    row[shape.at : shape.at + 2] = ((), None)
    row[shape.at + ITEM : shape.at + ITEM + shape.columns] = [()] * shape.columns


def delete(row: Row, shape: Shape, time: int, value: Any) -> None:
    """Hide the items of this value (of each element, for an array) that are no newer than `time`.

    The newest `max_items` deletes are remembered, for items that come later.
    """
    at = shape.at
    memory = row[at + MEMORY]
    if memory is None:
        memory = row[at + MEMORY] = [NEVER, {}]
    keys = {value_key(element) for element in (value if value.__class__ is list else (value,))}
    deletes = memory[1]
    for element in value if value.__class__ is list else (value,):
        key = value_key(element)
        if deletes.get(key, NEVER) <= time:
            deletes.pop(key, None)
            deletes[key] = time
    _hide(row, at, keys, time)
    _forget_deletes(memory, shape.max_items)


def _hide(row: Row, at: int, keys: set[Any], time: int) -> None:
    times, items = row[at], row[at + ITEM]
    hits = [place for place in range(bisect_right(times, time)) if value_key(items[place]) in keys]
    if hits:
        if row[at + HIDDEN] is None:
            row[at + HIDDEN] = [False] * len(times)
        for place in hits:
            row[at + HIDDEN][place] = True


def _forget_deletes(memory: list[Any], most: int) -> None:
    deletes = memory[1]
    if len(deletes) > most:
        # Stable: of deletes at one time the one remembered first goes first.
        newest = sorted(deletes.items(), key=lambda entry: entry[1])[-most:]
        memory[1] = dict(newest)


def clear(row: Row, shape: Shape, time: int) -> None:
    """Drop every item no newer than `time`, now and when it comes later."""
    at = shape.at
    memory = row[at + MEMORY]
    if memory is None:
        row[at + MEMORY] = [time, {}]
    elif time > memory[0]:
        memory[0] = time
    _drop_until(row, shape, time)


def _drop_until(row: Row, shape: Shape, time: int) -> None:
    at = shape.at
    count = bisect_right(row[at], time)
    if count == 0:
        return
    if count == len(row[at]):
        _reset(row, shape)
        return
    del row[at][:count]
    if row[at + HIDDEN] is not None:
        del row[at + HIDDEN][:count]
    for column in range(at + ITEM, at + ITEM + shape.columns):
        del row[column][:count]


def merge(survivor: Row, absorbed: Row, merged: Row, shape: Shape) -> None:
    """Write the union of two lists into `merged`, changing neither, though it may share with one.

    At equal times the survivor's items count as the later arrivals. Clears and deletes reach
    the items of both.
    """
    at = shape.at
    memory = _merge_memory(survivor[at + MEMORY], absorbed[at + MEMORY])
    if memory is None and not (survivor[at] and absorbed[at]):
        end = at + ITEM + shape.columns
        merged[at:end] = (survivor if survivor[at] else absorbed)[at:end]
        return
    if memory is None:  # nothing is hidden either
        _merge_plain(survivor, absorbed, merged, shape)
        return
    rows = [
        (
            row[at][place],
            _is_hidden(row, at, place),
            *(row[at + ITEM + c][place] for c in range(shape.columns)),
        )
        for row in (absorbed, survivor)
        for place in range(len(row[at]))
    ]
    rows.sort(key=lambda item: item[0])  # stable: the survivor's stay behind
    if shape.unique:
        last = {value_key(item[2]): index for index, item in enumerate(rows)}
        rows = [item for index, item in enumerate(rows) if last[value_key(item[2])] == index]
    if memory is not None:
        cleared, deletes = memory
        rows = [
            (item[0], item[1] or deletes.get(value_key(item[2]), NEVER) >= item[0], *item[2:])
            for item in rows
            if item[0] > cleared
        ]
        # Only now: a delete that makes room for newer ones has reached the items of both.
        _forget_deletes(memory, shape.max_items)
    merged[at + MEMORY] = memory
    if not rows:
        _reset(merged, shape)
        return
    times, hidden, *columns = (list(column) for column in zip(*rows[-shape.max_items :], strict=True))
    merged[at] = times
    merged[at + HIDDEN] = hidden if any(hidden) else None
    merged[at + ITEM : at + ITEM + shape.columns] = columns


def _merge_plain(survivor: Row, absorbed: Row, merged: Row, shape: Shape) -> None:
    """As `merge`, for lists that both have items and saw no clear and no delete."""
    slots = [shape.at, *range(shape.at + ITEM, shape.at + ITEM + shape.columns)]
    rows = [*zip(*[absorbed[slot] for slot in slots], strict=True)]
    rows += zip(*[survivor[slot] for slot in slots], strict=True)
    rows.sort(key=_time_of)  # stable: the survivor's stay behind
    if shape.unique:
        newest: dict[Any, tuple[Any, ...]] = {}
        for row in reversed(rows):
            value = row[1]
            newest.setdefault(value if value.__class__ is str else value_key(value), row)
        rows = list(newest.values())[::-1]
    for slot, column in zip(slots, zip(*rows[-shape.max_items :], strict=True), strict=True):
        merged[slot] = list(column)


def _is_hidden(row: Row, at: int, place: int) -> bool:
    return row[at + HIDDEN] is not None and row[at + HIDDEN][place]


def _merge_memory(survivor: list[Any] | None, absorbed: list[Any] | None) -> list[Any] | None:
    if survivor is None or absorbed is None:
        one = survivor or absorbed
        return None if one is None else [one[0], dict(one[1])]
    deletes = dict(absorbed[1])
    for key, time in survivor[1].items():
        if deletes.get(key, NEVER) <= time:
            deletes.pop(key, None)
            deletes[key] = time
    return [max(survivor[0], absorbed[0]), deletes]


def pack(row: Row, shape: Shape, newest_ms: int) -> list[Any] | None:
    """Return what is not expired as of `newest_ms`: the times, then column by column.

    Behind it, if there are any: [bytes that tell who is hidden, time of the clear, [value, time, ...]
    of the deletes], each None if there is none. None for nothing at all.
    """
    at, low = shape.at, newest_ms - shape.ttl_ms
    start = bisect_right(row[at], low)
    packed = [row[at][start:], *(column[start:] for column in row[at + ITEM : at + ITEM + shape.columns])]
    has_items = bool(packed[0])
    if row[at + MEMORY] is not None:
        cleared, deletes = row[at + MEMORY]
        hidden = row[at + HIDDEN] and row[at + HIDDEN][start:]
        # A clear or delete that is older than the TTL can't reach an item that is not expired.
        kept = sorted([entry for entry in deletes.items() if entry[1] > low], key=lambda entry: entry[1])
        if kept or cleared > low:
            flat = [part for key, time in kept for part in (_plain(key), time)]
            is_hidden = bytes(hidden) if hidden and any(hidden) else None
            return [*packed, [is_hidden, cleared if cleared > low else None, flat or None]]
    return packed if has_items else None


def unpack(row: Row, shape: Shape, packed: list[Any]) -> None:
    """Write the slots from what `pack` returned; its lists become the row's."""
    at = shape.at
    if packed[0]:
        row[at] = packed[0]
        row[at + ITEM : at + ITEM + shape.columns] = packed[1 : shape.columns + 1]
    if len(packed) > shape.columns + 1:
        hidden, cleared, deletes = packed[-1]
        row[at + HIDDEN] = None if hidden is None else [each == 1 for each in hidden]
        keys = map(value_key, deletes[::2] if deletes else ())
        remembered = dict(zip(keys, deletes[1::2] if deletes else (), strict=True))
        row[at + MEMORY] = [NEVER if cleared is None else cleared, remembered]


def _plain(key: Any) -> Any:
    """Return the value that has this key."""
    return key[0] if key.__class__ is tuple else key


def live(row: Row, at: int, column: int, low: int) -> Any:
    """Return the values of one column of the visible items newer than `low`, oldest first.

    The result is not to be changed: it may be the row's own list.
    """
    start = bisect_right(row[at], low)
    values = row[at + column]
    hidden = row[at + HIDDEN]
    if hidden is None:
        return values[start:] if start else values
    return [values[place] for place in range(start, len(values)) if not hidden[place]]


# Aggregations of the live values of one column, oldest first; a value is None where an item has none.


def first(values: Sequence[Any]) -> Any:
    """Return the oldest value there is, or None."""
    for value in values:
        if value is not None:
            return value
    return None


def last(values: Sequence[Any]) -> Any:
    """Return the newest value there is, or None."""
    return first(values[::-1])


def total(values: Sequence[Any]) -> float:
    """Return the exact decimal sum of the numbers and numeric texts; 0 for none."""
    return sum(scaled(value, SUM_SCALE) or 0 for value in values) / SUM_SCALE


def minimum(values: Sequence[Any]) -> Any:
    """Return the least of the numbers and numeric texts, or None."""
    return _extreme(min, values)


def maximum(values: Sequence[Any]) -> Any:
    """Return the greatest of the numbers and numeric texts, or None."""
    return _extreme(max, values)


def _extreme(choose: Callable[..., Any], values: Sequence[Any]) -> Any:
    # If the values compare and the choice is a number, the others are numbers or booleans, which
    # don't count: so it is the choice among the numbers. Anything else goes the long way.
    try:
        chosen = choose(values, default=None)
    except TypeError:
        chosen = None
    if chosen.__class__ is float or chosen.__class__ is int:
        return chosen
    numbers = (as_number(value) for value in values)
    return choose((canonical(number) for number in numbers if number is not None), default=None)


def distinct(values: Sequence[Any]) -> list[Any]:
    """Return the different values in order of first occurrence; a new list."""
    if set(map(type, values)) <= _TEXT:
        return list(dict.fromkeys(values))
    seen: dict[Any, Any] = {}
    for value in values:
        if value is not None:
            seen.setdefault(value_key(value), value)
    return list(seen.values())


def count(values: Sequence[Any]) -> int:
    """Return how many values there are."""
    return sum(value is not None for value in values)


AGGREGATIONS: Final = {
    "first": first,
    "last": last,
    "sum": total,
    "min": minimum,
    "max": maximum,
    "distinct": distinct,
    "count": count,
}
