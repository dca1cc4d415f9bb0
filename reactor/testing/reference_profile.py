"""What a profile says at one instant: every part recomputed from the events themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NamedTuple

from reactor.criteria import Expression, Ref, walk
from reactor.spec.model import (
    Aggregation,
    Backfill,
    Computed,
    Config,
    Counter,
    Imported,
    ListAttribute,
    Single,
    Total,
    Window,
)
from reactor.testing.reference_events import Event, Identifier, Item
from reactor.testing.reference_identity import History, events_of
from reactor.testing.reference_lists import live_items
from reactor.testing.reference_rows import Row, row_of
from reactor.testing.reference_values import increment_of, number_of, same, sum_of

SUM_DECIMALS = 6


class Held(NamedTuple):
    """A value and the time it is of; None where an imported value has none."""

    value: object
    time_ms: int | None


class View:
    """A profile read at one time.

    history, seen: the profile's events and identifiers; empty for one that isn't kept.
    event: the event that is being answered, whose columns criteria may name.
    before: the profile without that event; None where `before.X` is X.
    """

    def __init__(
        self,
        config: Config,
        history: History,
        seen: Mapping[Identifier, int],
        rows: list[Row],
        time_ms: int,
        *,
        event: Event | None = None,
        before: View | None = None,
    ) -> None:
        self.config = config
        self.history = history
        self.events = list(events_of(history))
        self.seen = seen
        self.time_ms = time_ms
        self.event = event
        self.before = before
        self.row = row_of(rows, seen, config.lookup_key, time_ms)
        self._known: dict[str, object] = {}
        self._lists: dict[str, list[Item]] = {}
        self._readers = dict(self._parts())

    def _parts(self) -> Iterable[tuple[str, Callable[[], object]]]:
        """Yield every part that is neither a time nor a key, and how it is read, in config order."""
        for name, attribute in self.config.attributes.items():
            match attribute:
                case Single():
                    yield name, partial(self._single, attribute)
                case ListAttribute():
                    for part, aggregation in attribute.aggregations.items():
                        yield f"{name}.{part}", partial(self._aggregate, attribute, aggregation)
                case Counter():
                    for window in attribute.windows:
                        part = name if window.name is None else f"{name}.{window.name}"
                        yield part, partial(self._count, attribute, window)
                case Total():
                    yield name, partial(self._total, attribute)
                case Imported():
                    yield name, partial(self._imported, attribute)
                case Computed():
                    yield name, partial(self.value, attribute.value)

    def parts(self) -> dict[str, object]:
        """Return every part's value, in config order."""
        return {name: self.part(name) for name in self._readers}

    def part(self, name: str) -> object:
        """Return the value of a name of the profile: a part, a key, or the time of a single."""
        if name not in self._known:
            self._known[name] = self._part(name)
        return self._known[name]

    def _part(self, name: str) -> object:
        if name in self._readers:
            return self._readers[name]()
        if name in {key.name for key in self.config.keys}:
            return sorted(self.key_values(name)) or None
        single = self.config.attributes[name.removesuffix(".time")]
        assert isinstance(single, Single)
        return self._held(single).time_ms

    def key_values(self, key: str) -> list[str]:
        """Return the profile's values of a key: last seen first, then the greater text."""
        values = sorted((seen_ms, value) for (name, value), seen_ms in self.seen.items() if name == key)
        return [value for _, value in reversed(values)]

    def segments(self) -> list[str]:
        """Return the ids of the batch segments the profile is in."""
        return self.row.segments() if self.row is not None else []

    def value(self, expression: Expression) -> object:
        """Return the value of an expression over this profile, and over the event if there is one."""
        return walk(expression, self._read)

    def _read(self, ref: Ref) -> object:
        if ref.kind == "column":
            return self.event.column(ref) if self.event is not None else None
        if ref.kind == "now":
            return self.time_ms
        if ref.kind == "segment":
            return ref.name in self.segments()
        return (self.before if ref.before and self.before is not None else self).part(ref.name)

    def _single(self, single: Single) -> object:
        return self._held(single).value

    def _held(self, single: Single) -> Held:
        """Return the latest live value of a single, of its own events and of the imported one."""
        candidates: list[Held] = []
        for event in sorted(self.events, key=lambda event: event.time_ms):
            value = event.fact(single)
            if value is not None:
                candidates.append(Held(value, event.time_ms))
        held = candidates[-1:] + self._backfilled(single.backfill, single)
        live = [entry for entry in held if self._lives(entry, single.ttl_ms)]
        # `max` keeps the first of equals, which is the event's; a value without a time comes last.
        return max(live, key=lambda entry: _order(entry.time_ms), default=Held(None, None))

    def _lives(self, entry: Held, ttl_ms: int | None) -> bool:
        return ttl_ms is None or entry.time_ms is None or self.time_ms - entry.time_ms < ttl_ms

    def _backfilled(self, backfill: Backfill | None, single: Single) -> list[Held]:
        if backfill is None:
            return []
        value, time_ms = self.part(backfill.value), self.part(backfill.time)
        assert time_ms is None or isinstance(time_ms, int)
        # What is dated after the reading time is not known yet.
        known = value is not None and (time_ms is None or time_ms <= self.time_ms)
        return [Held(value, time_ms)] if known else []

    def _items(self, attribute: ListAttribute) -> list[Item]:
        if attribute.name not in self._lists:
            self._lists[attribute.name] = live_items(attribute, self.history, self.time_ms)
        return self._lists[attribute.name]

    def _aggregate(self, attribute: ListAttribute, how: Aggregation) -> object:
        """Return an aggregation over the live items that have the column."""
        items = self._items(attribute)
        values = [value for item in items if (value := _column(item, how.column)) is not None]
        numbers = [number for value in values if (number := number_of(value)) is not None]
        match how.kind:
            case "first":
                return values[0] if values else None
            case "last":
                return values[-1] if values else None
            case "min":
                return min(numbers, default=None)
            case "max":
                return max(numbers, default=None)
            case "count":
                return len(values)
            case "distinct":
                named = [same(value) for value in values]
                return [value for place, value in enumerate(values) if named[place] not in named[:place]]
            case "sum":
                units = [unit for value in values if (unit := increment_of(value, SUM_DECIMALS)) is not None]
                return sum_of(units, SUM_DECIMALS)

    def _count(self, counter: Counter, window: Window) -> int | float:
        """Sum the increments of the panes that the window touches."""
        first = (self.time_ms - window.window_ms) // window.pane_ms
        last = self.time_ms // window.pane_ms
        return sum_of(self._units(counter, window.pane_ms, first, last), counter.decimals)

    def _total(self, total: Total) -> int | float:
        first = -(2**63)
        if total.discard_ms is not None:
            first = (self.time_ms - total.discard_ms) // total.pane_ms
        base = self._base(total)
        if base is None:
            return sum_of(self._units(total, total.pane_ms, first, 2**63), total.decimals)
        # A pane counts if it ends after the base's time.
        first = max(first, base[1] // total.pane_ms)
        units = self._units(total, total.pane_ms, first, 2**63)
        return sum_of([base[0], *units], total.decimals)

    def _base(self, total: Total) -> tuple[int, int] | None:
        """Return the imported base (units, time in ms) that counts at the reading time."""
        if total.backfill is None:
            return None
        units = increment_of(self.part(total.backfill.value), total.decimals)
        time_ms = self.part(total.backfill.time)
        if units is None or not isinstance(time_ms, int) or time_ms > self.time_ms:
            return None
        return units, time_ms

    def _units(self, counter: Counter | Total, pane_ms: int, first: int, last: int) -> list[int]:
        """Return the increments of the events in the panes from `first` to `last`."""
        units = []
        for event in self.events:
            unit = event.fact(counter)
            if isinstance(unit, int) and first <= event.time_ms // pane_ms <= last:
                units.append(unit)
        return units

    def _imported(self, attribute: Imported) -> object:
        return None if self.row is None else self.row.value(attribute, self.config.limits.value_bytes)


def _column(item: Item, column: str) -> object:
    return item.value if column == "item" else item.fields[column]


def _order(time_ms: int | None) -> int:
    return -(2**63) if time_ms is None else time_ms
