"""Single attributes: the latest value by event time, with that time.

A single owns two slots: row[at] the value or None, row[at + 1] its time or NEVER. Of two
values at the same time the later arrival is kept; a merge takes the survivor's for the later.
"""

from __future__ import annotations

from typing import Any, Final

from reactor.attributes.kind import Reads, Row, value_bytes
from reactor.source import Source
from reactor.spec.model import Limits, Single

# Before any time: `now - NEVER` is beyond any TTL, so that no read asks whether it was set.
NEVER: Final = -(10**18)


def latest(value: Any, time: int, base: Any, base_time: int | None, now_ms: int, ttl_ms: int | None) -> Any:
    """Return (value, time) of the later of an own value and an imported one; a tie goes to the own.

    base_time: None where the import names no time: the base then counts only where there is
        no own value, and has no time. A base dated after `now_ms` is absent.
    """
    if ttl_ms is not None and now_ms - time >= ttl_ms:
        value, time = None, NEVER
    if base is not None and base_time is not None:
        fresh = base_time <= now_ms and (ttl_ms is None or now_ms - base_time < ttl_ms)
        if fresh and base_time > time:
            return base, base_time
    elif base is not None and time == NEVER:
        return base, None
    return value, (None if time == NEVER else time)


class SingleSlots:
    """The slots of one single at `at`, and what is done to them."""

    size: Final = 2

    def __init__(self, attribute: Single, at: int) -> None:
        self.attribute = attribute
        self.at = at

    def template(self) -> tuple[object, ...]:
        return (None, NEVER)

    def emit_update(self, source: Source, part: str, value: str) -> None:
        """Write the update by `value`, a local that is not None, of an event at `t`."""
        with source.block(f"if t >= {part}[{self.at + 1}]:"):
            source.add(f"{part}[{self.at}] = {value}", f"{part}[{self.at + 1}] = t")

    def emit_value(self, reads: Reads) -> str:
        """Return source of the value at the reading time, or None."""
        at, ttl = self.at, self.attribute.ttl_ms
        if self.attribute.backfill is not None:
            return f"{self._emit_latest(reads)}[0]"
        if ttl is None:
            return f"{reads.part}[{at}]"
        return f"({reads.part}[{at}] if {reads.now} - {reads.part}[{at + 1}] < {ttl} else None)"

    def emit_time(self, reads: Reads) -> str:
        """Return source of the time of the value, or None."""
        time = f"{reads.part}[{self.at + 1}]"
        if self.attribute.backfill is not None:
            return f"{self._emit_latest(reads)}[1]"
        fresh = (
            f"{time} != {NEVER}"
            if self.attribute.ttl_ms is None
            else f"{reads.now} - {time} < {self.attribute.ttl_ms}"
        )
        return f"({time} if {fresh} else None)"

    def _emit_latest(self, reads: Reads) -> str:
        assert self.attribute.backfill is not None
        base, base_time = (
            reads.imported(name) for name in (self.attribute.backfill.value, self.attribute.backfill.time)
        )
        own = f"{reads.part}[{self.at}], {reads.part}[{self.at + 1}]"
        function = reads.source.function(latest)
        return f"{function}({own}, {base}, {base_time}, {reads.now}, {self.attribute.ttl_ms})"

    def merge(self, survivor: Row, absorbed: Row, merged: Row, newest_ms: int) -> None:
        at = self.at
        kept = survivor if survivor[at + 1] >= absorbed[at + 1] else absorbed
        merged[at : at + 2] = kept[at : at + 2]

    def state(self, row: Row, newest_ms: int) -> object:
        """Return the plain, canonical state as of the profile's newest event; None if there is none."""
        value, time = row[self.at : self.at + 2]
        ttl = self.attribute.ttl_ms
        return None if time == NEVER or (ttl is not None and newest_ms - time >= ttl) else [value, time]

    def emit_pack(self, source: Source, part: str, state: str) -> None:
        """Write `state`, a local that is None: (value, time), if there is a value as of `newest`."""
        time, ttl = f"{part}[{self.at + 1}]", self.attribute.ttl_ms
        is_there = f"{time} != {NEVER}" if ttl is None else f"newest - {time} < {ttl}"
        source.add(f"if {is_there}: {state} = {part}[{self.at}], {time}")

    def emit_unpack(self, source: Source, part: str, state: str) -> None:
        """Write the slots from `state`."""
        source.add(f"{part}[{self.at}], {part}[{self.at + 1}] = {state}")

    def most_bytes(self, limits: Limits) -> int:
        return value_bytes(self.attribute.dtype, limits) + 10

    def check(self, row: Row) -> None:
        value, time = row[self.at : self.at + 2]
        assert (value is None) == (time == NEVER)
