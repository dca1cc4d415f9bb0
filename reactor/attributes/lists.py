"""List attributes: the newest items, each for a time, read through aggregations only."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from reactor.attributes import items
from reactor.attributes.items import HIDDEN, ITEM, MEMORY, Shape
from reactor.attributes.kind import INT_BYTES, Reads, Row, scalar_bytes
from reactor.attributes.single import NEVER
from reactor.source import Source
from reactor.spec.model import Aggregation, Limits, ListAttribute


class ListSlots:
    """The slots of one list at `at`, and what is done to them."""

    def __init__(self, attribute: ListAttribute, at: int) -> None:
        self.attribute = attribute
        self.at = at
        self.columns = ["item", *attribute.fields]
        self.shape = Shape(at, len(self.columns), attribute.max_items, attribute.ttl_ms, attribute.unique)
        self.size: Final = ITEM + len(self.columns)

    def template(self) -> tuple[object, ...]:
        return ((), None, None, *((),) * len(self.columns))

    def emit_update(self, source: Source, part: str, item: str, fields: list[str], dropped: str) -> None:
        """Write the update by `item`, a local that is not None, of an event at `t`.

        The commonest case is written out: a scalar text, in time order, with no clear or delete
        remembered. `dropped`: source of the count of items capacity dropped.
        """
        at, columns = self.at, [item, *fields]
        places = range(at + ITEM, at + ITEM + len(columns))
        source.add(f"times = {part}[{at}]")
        is_common = f"{item}.__class__ is str and {part}[{at + MEMORY}] is None"
        with source.block(f"if times and t >= times[-1] and {is_common}:"):
            if self.attribute.unique:
                self._emit_removal(source, part, f"{item} in {part}[{at + ITEM}]", item)
            source.add("times.append(t)")
            source.add(
                *(f"{part}[{place}].append({value})" for place, value in zip(places, columns, strict=True))
            )
            with source.block(f"if len(times) > {self.attribute.max_items}:"):
                source.add(f"if newest - times[0] < {self.attribute.ttl_ms}: {dropped} += 1")
                source.add(f"del times[0], {', '.join(f'{part}[{place}][0]' for place in places)}")
        with source.block(f"elif not times and {is_common}:"):
            source.add(f"{part}[{at}] = [t]")
            source.add(
                *(f"{part}[{place}] = [{value}]" for place, value in zip(places, columns, strict=True))
            )
        with source.block("else:"):
            values = "".join(f"{field}, " for field in fields)
            function, shape = source.function(items.add), source.constant(self.shape)
            source.add(f"{dropped} += {function}({part}, {shape}, t, {item}, ({values}), newest)")

    def _emit_removal(self, source: Source, part: str, condition: str, item: str) -> None:
        """Write that the item which the new one replaces goes."""
        at = self.at
        places = range(at + ITEM, at + ITEM + len(self.columns))
        with source.block(f"if {condition}:"):
            source.add(f"place = {part}[{at + ITEM}].index({item})")
            source.add(f"del times[place], {', '.join(f'{part}[{each}][place]' for each in places)}")

    def emit_delete(self, source: Source, part: str, item: str) -> None:
        source.add(f"{source.function(items.delete)}({part}, {source.constant(self.shape)}, t, {item})")

    def emit_clear(self, source: Source, part: str) -> None:
        source.add(f"{source.function(items.clear)}({part}, {source.constant(self.shape)}, t)")

    def emit_aggregation(self, reads: Reads, aggregation: Aggregation) -> str:
        """Return source of an aggregation at the reading time."""
        attribute, source = self.attribute, reads.source
        column = ITEM + self.columns.index(aggregation.column)
        low = f"{reads.now} - {attribute.ttl_ms}"
        arguments = f"{reads.part}, {self.at}, {column}, {low}"
        if attribute.delete_on:
            values = f"{source.function(items.live)}({arguments})"
        else:
            # Nothing is ever hidden, and seldom is an item expired: then the list itself is what is live.
            times = f"{reads.part}[{self.at}]"
            is_whole = f"(not {times} or {times}[0] > {low})"
            whole = f"{reads.part}[{self.at + column}]"
            values = f"({whole} if {is_whole} else {source.function(items.live)}({arguments}))"
        if aggregation.column == "item":
            if aggregation.kind == "count":
                return f"{source.function(len)}({values})"
            if aggregation.kind == "distinct" and attribute.unique:
                return f"{source.function(list)}({values})"
        return f"{source.function(items.AGGREGATIONS[aggregation.kind])}({values})"

    def merge(self, survivor: Row, absorbed: Row, merged: Row, newest_ms: int) -> None:
        items.merge(survivor, absorbed, merged, self.shape)

    def state(self, row: Row, newest_ms: int) -> object:
        """Return [times, hidden or None, clear or None, deletes, columns] as of `newest_ms`, or None."""
        at, low = self.at, newest_ms - self.attribute.ttl_ms
        start = sum(time <= low for time in row[at])
        hidden = row[at + HIDDEN] and row[at + HIDDEN][start:]
        clear, deletes = row[at + MEMORY] or (NEVER, {})
        # A clear or delete that is older than the TTL can't reach an item that is not expired.
        kept = [
            [key[0] if key.__class__ is tuple else key, time] for key, time in deletes.items() if time > low
        ]
        kept.sort(key=lambda entry: entry[1])
        if start == len(row[at]) and clear <= low and not kept:
            return None
        columns = [list(row[at + ITEM + c][start:]) for c in range(len(self.columns))]
        is_any_hidden = hidden if hidden and any(hidden) else None
        return [list(row[at][start:]), is_any_hidden, clear if clear > low else None, kept, columns]

    def emit_pack(self, source: Source, part: str, state: str) -> None:
        """Write `state`, a local that is None: see `items.pack`. What is all alive is written out."""
        at, columns = self.at, range(self.at + ITEM, self.at + ITEM + len(self.columns))
        low = f"newest - {self.attribute.ttl_ms}"
        function, shape = source.function(items.pack), source.constant(self.shape)
        slow = f"{state} = {function}({part}, {shape}, newest)"
        with source.block(f"if {part}[{at + MEMORY}] is not None:"):
            source.add(slow)
        with source.block("else:"):
            source.add(f"times = {part}[{at}]")
            with source.block(f"if times and times[-1] > {low}:"):
                lists = "".join(f", {part}[{column}]" for column in columns)
                source.add(f"if times[0] > {low}: {state} = times{lists}", f"else: {slow}")

    def emit_unpack(self, source: Source, part: str, state: str) -> None:
        """Write the slots from `state`, whose lists become the row's."""
        columns = range(self.at + ITEM, self.at + ITEM + len(self.columns))
        with source.block(f"if len({state}) == {len(self.columns) + 1}:"):
            places = "".join(f", {part}[{column}]" for column in columns)
            source.add(f"{part}[{self.at}]{places} = {state}")
        with source.block("else:"):
            function, shape = source.function(items.unpack), source.constant(self.shape)
            source.add(f"{function}({part}, {shape}, {state})")

    def most_bytes(self, limits: Limits) -> int:
        item = scalar_bytes(limits)
        # All fields of an item came in one event, which has a size of its own.
        fields = min(limits.event_bytes * 5, len(self.attribute.fields) * (1000 * item + 5))
        one = INT_BYTES + 1 + item + fields
        memory = (item + INT_BYTES + 1) if self.attribute.delete_on else 0
        return 40 + 5 * len(self.columns) + self.attribute.max_items * (one + memory)

    def check(self, row: Row) -> None:
        at = self.at
        times = row[at]
        columns = [row[at + ITEM + c] for c in range(len(self.columns))]
        assert all(len(column) == len(times) for column in columns)
        assert len(times) <= self.attribute.max_items
        assert all(a <= b for a, b in pairwise(times))
        assert row[at + HIDDEN] is None or len(row[at + HIDDEN]) == len(times)
        if self.attribute.unique:
            assert len({items.value_key(value) for value in columns[0]}) == len(times)
        if row[at + MEMORY] is not None:
            assert len(row[at + MEMORY][1]) <= self.attribute.max_items
            assert not times or times[0] > row[at + MEMORY][0]
