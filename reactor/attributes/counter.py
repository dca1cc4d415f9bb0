"""Counters: exact sums of increments, sliding over a window or total within a discard window.

Both keep a ring of panes (`reactor.ring`); a total that is never discarded keeps one sum.
Sums are ints in units of 10**-decimals.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, Final, TypeAlias

from reactor import ring
from reactor.attributes.kind import INT_BYTES, WIDE_INT_BYTES, Reads, Row, scaled
from reactor.source import Source
from reactor.spec.model import Counter, Limits, Total, Window

Packed: TypeAlias = tuple[list[int], list[int]]


def emit_add(source: Source, part: str, at: int, panes: ring.Panes, weight: str) -> None:
    """Write the update of a ring; the commonest cases are written out: the newest pane, and the next."""
    source.add(f"pane = t // {panes.unit_ms}", f"starts = {part}[{at}]")
    with source.block("if starts:"):
        source.add("last = starts[-1]")
        with source.block("if pane == last:"):
            source.add(f"{part}[{at + 1}][-1] += {weight}")
        with source.block(f"elif pane > last and len(starts) < {part}[{at + 2}]:"):
            source.add("starts.append(pane)", f"sums = {part}[{at + 1}]", f"sums.append(sums[-1] + {weight})")
        with source.block("else:"):
            _emit_slow(source, part, at, panes, weight)
    with source.block("else:"):
        source.add(f"{part}[{at}] = [pane]", f"{part}[{at + 1}] = [0, {weight}]")


def _emit_slow(source: Source, part: str, at: int, panes: ring.Panes, weight: str) -> None:
    function = source.function(ring.add)
    source.add(f"{function}({part}, {at}, pane, {weight}, {source.constant(panes)}, newest)")


def emit_since(reads: Reads, at: int, low: str) -> str:
    """Return source of the sum of the panes from `low` on."""
    bisect = reads.source.function(bisect_left)
    sums = f"{reads.part}[{at + 1}]"
    return f"({sums}[-1] - {sums}[{bisect}({reads.part}[{at}], {low})])"


def ring_state(row: Row, at: int, panes: ring.Panes, newest_ms: int) -> object:
    """Return [pane starts, cumulative sums] as of `newest_ms`, or None."""
    starts, sums = ring.folded(row[at], row[at + 1], panes, newest_ms)
    if not starts:
        return None
    return [starts, [wide(total) for total in sums[1:]]]


def pack_ring(row: Row, at: int, panes: ring.Panes, newest_ms: int) -> Packed | None:
    """Return (pane starts, cumulative sums from 0) as of `newest_ms`, or None for no panes."""
    starts, sums = ring.folded(row[at], row[at + 1], panes, newest_ms)
    return (starts, sums) if starts else None


def widened(state: Any) -> Any:
    """Return a packed ring or sum whose ints are too wide for 64 bits with bytes in their place.

    A ring then has a third entry, that tells.
    """
    if isinstance(state, tuple | list):
        starts, sums = state
        packed = [widened(total) for total in sums]
        return state if packed == list(sums) else (starts, packed, 1)
    if state.__class__ is int and not -(2**63) <= state < 2**63:
        return state.to_bytes((state.bit_length() + 8) // 8, "big", signed=True)
    return state


def narrowed(state: Any) -> Any:
    """Return what `widened` was given."""
    if isinstance(state, list):
        return state[0], [narrowed(total) for total in state[1]]
    return int.from_bytes(state, "big", signed=True) if state.__class__ is bytes else state


def emit_pack_ring(source: Source, part: str, at: int, panes: ring.Panes, state: str, *, grows: bool) -> None:
    """Write `state`, a local that is None, as `pack_ring` has it.

    grows: whether no pane can have come to nothing. Written out is what drops no pane and joins none:
    the ring's own lists, or its starts on the coarser grid.
    """
    function = source.function(pack_ring)
    slow = f"{state} = {function}({part}, {at}, {source.constant(panes)}, newest)"
    source.add(f"starts = {part}[{at}]")
    with source.block("if starts:"):
        source.add("pane = starts[0]", f"sums = {part}[{at + 1}]")
        is_slow = [f"pane < {_lowest(panes)}"]  # no window reaches it any more
        if not grows:
            is_slow.append("len(set(sums)) != len(sums)")
        source.add(f"if {' or '.join(is_slow)}: {slow}")
        if panes.folds:
            _emit_folding(source, panes, state, slow)
        source.add(f"else: {state} = starts, sums")


def _lowest(panes: ring.Panes) -> str:
    """Return source of the oldest pane that any window reaches at `newest`: of the longest, as a rule."""
    windows = panes.windows
    lows = [
        f"(newest - {window.window_ms}) // {window.pane_ms} * {window.pane_ms // panes.unit_ms}"
        for window in windows
        if not any(other.window_ms - window.window_ms >= window.pane_ms for other in windows)
    ]
    return lows[0] if len(lows) == 1 else f"min({', '.join(lows)})"


def _emit_folding(source: Source, panes: ring.Panes, state: str, slow: str) -> None:
    """Write, in a chain of ifs, what to do if the first pane lies on too fine a grid."""
    edges = []
    fold = "pane"
    for windows, coarse in panes.folds:
        # The least low of these windows on the coarse grid is that of the longest.
        longest = max(window.window_ms for window in windows)
        edges.append(f"(newest - {longest}) // {coarse * panes.unit_ms} * {coarse}")
    for number, (_, coarse) in enumerate(panes.folds):
        fold = f"pane - pane % {coarse} if pane < edge{number} else {fold}"
    with source.block(f"elif pane < (edge0 := {edges[0]}):"):
        source.add(*(f"edge{number} = {edge}" for number, edge in enumerate(edges) if number))
        source.add(f"starts = [{fold} for pane in starts]")
        source.add(f"if len(set(starts)) == len(starts): {state} = starts, sums", f"else: {slow}")


def emit_unpack_ring(source: Source, part: str, at: int, state: str) -> None:
    """Write the slots from `state`, whose lists become the row's."""
    source.add(f"if len({state}) == 3: {state} = {source.function(narrowed)}({state})")
    source.add(f"{part}[{at}], {part}[{at + 1}] = {state}")
    limit = f"2 * len({part}[{at}]) + {ring.FIRST_LIMIT}"
    source.add(f"if len({part}[{at}]) > {ring.FIRST_LIMIT}: {part}[{at + 2}] = {limit}")


def wide(number: int) -> int | str:
    """Return the int, or its text where it is too wide for 64 bits."""
    return number if -(2**63) <= number < 2**63 else str(number)


def ring_bytes(windows: tuple[ring.Window, ...]) -> int:
    """Return the most bytes a ring for these windows has, packed."""
    panes = sum(window.window_ms // window.pane_ms + 2 for window in windows)
    return 20 + panes * (INT_BYTES + WIDE_INT_BYTES)


class CounterSlots:
    """The slots of one sliding counter at `at`, and what is done to them."""

    size: Final = ring.SLOTS

    def __init__(self, attribute: Counter, at: int) -> None:
        self.attribute = attribute
        self.at = at
        self.panes = ring.Panes.of(
            tuple(ring.Window(window.window_ms, window.pane_ms) for window in attribute.windows)
        )

    def template(self) -> tuple[object, ...]:
        return ring.EMPTY

    def emit_update(self, source: Source, part: str, weight: str) -> None:
        """Write the update by `weight`, source of an int, of an event at `t`."""
        emit_add(source, part, self.at, self.panes, weight)

    def emit_window(self, reads: Reads, window: Window) -> str:
        """Return source of the value of one window at the reading time."""
        low = f"({reads.now} - {window.window_ms}) // {window.pane_ms}"
        ratio = window.pane_ms // self.panes.unit_ms
        value = emit_since(reads, self.at, low if ratio == 1 else f"{low} * {ratio}")
        return value if self.attribute.decimals == 0 else f"({value} / {10**self.attribute.decimals})"

    def merge(self, survivor: Row, absorbed: Row, merged: Row, newest_ms: int) -> None:
        merged[self.at : self.at + 3] = ring.merge(survivor, absorbed, self.at, self.panes, newest_ms)

    def state(self, row: Row, newest_ms: int) -> object:
        """Return [pane starts, cumulative sums] as of `newest_ms`, or None."""
        return ring_state(row, self.at, self.panes, newest_ms)

    def emit_pack(self, source: Source, part: str, state: str) -> None:
        """Write `state`, a local that is None: see `pack_ring`."""
        emit_pack_ring(source, part, self.at, self.panes, state, grows=self.attribute.increment is None)

    def emit_unpack(self, source: Source, part: str, state: str) -> None:
        """Write the slots from `state`."""
        emit_unpack_ring(source, part, self.at, state)

    def most_bytes(self, limits: Limits) -> int:
        return ring_bytes(self.panes.windows)

    def check(self, row: Row) -> None:
        ring.check(row, self.at)


def based(
    row: Row, at: int, low: int, base: Any, base_ms: int | None, now_ms: int, panes: ring.Panes, scale: int
) -> float:
    """Return a total upon an imported base: the base, and the panes that end after its time.

    low: first pane of the discard window. A base without a usable time, or dated after
    `now_ms`, is absent.
    """
    number = scaled(base, scale)
    if number is None or base_ms is None or base_ms > now_ms:
        return ring.since(row, at, low) / scale
    return (number + ring.since(row, at, max(low, base_ms // panes.unit_ms))) / scale


class TotalSlots:
    """The slots of one total counter at `at`, and what is done to them."""

    def __init__(self, attribute: Total, at: int) -> None:
        self.attribute = attribute
        self.at = at
        self.scale = 10**attribute.decimals
        self.panes: ring.Panes | None = None
        if attribute.discard_ms is not None:
            self.panes = ring.Panes.of((ring.Window(attribute.discard_ms, attribute.pane_ms),))
        self.size: Final = 1 if self.panes is None else ring.SLOTS

    def template(self) -> tuple[object, ...]:
        return (0,) if self.panes is None else ring.EMPTY

    def emit_update(self, source: Source, part: str, weight: str) -> None:
        """Write the update by `weight`, source of an int, of an event at `t`."""
        if self.panes is None:
            source.add(f"{part}[{self.at}] += {weight}")
        else:
            emit_add(source, part, self.at, self.panes, weight)

    def emit_value(self, reads: Reads) -> str:
        """Return source of the value at the reading time."""
        backfill = self.attribute.backfill
        if self.panes is None:
            value = f"{reads.part}[{self.at}]"
            return value if self.scale == 1 else f"({value} / {self.scale})"
        low = f"({reads.now} - {self.attribute.discard_ms}) // {self.attribute.pane_ms}"
        if backfill is None:
            value = emit_since(reads, self.at, low)
            return value if self.scale == 1 else f"({value} / {self.scale})"
        base = f"{reads.imported(backfill.value)}, {reads.imported(backfill.time)}"
        panes = reads.source.constant(self.panes)
        function = reads.source.function(based)
        return f"{function}({reads.part}, {self.at}, {low}, {base}, {reads.now}, {panes}, {self.scale})"

    def merge(self, survivor: Row, absorbed: Row, merged: Row, newest_ms: int) -> None:
        if self.panes is None:
            merged[self.at] = survivor[self.at] + absorbed[self.at]
        else:
            merged[self.at : self.at + 3] = ring.merge(survivor, absorbed, self.at, self.panes, newest_ms)

    def state(self, row: Row, newest_ms: int) -> object:
        """Return [pane starts, cumulative sums] as of `newest_ms`, or the sum, or None."""
        if self.panes is None:
            return wide(row[self.at]) or None
        return ring_state(row, self.at, self.panes, newest_ms)

    def emit_pack(self, source: Source, part: str, state: str) -> None:
        """Write `state`, a local that is None: the sum, or as `pack_ring` has it."""
        if self.panes is None:
            source.add(f"{state} = {part}[{self.at}] or None")
        else:
            grows = self.attribute.increment is None
            emit_pack_ring(source, part, self.at, self.panes, state, grows=grows)

    def emit_unpack(self, source: Source, part: str, state: str) -> None:
        """Write the slots from `state`."""
        if self.panes is None:
            source.add(f"{part}[{self.at}] = {source.function(narrowed)}({state})")
        else:
            emit_unpack_ring(source, part, self.at, state)

    def most_bytes(self, limits: Limits) -> int:
        if self.panes is None:
            return 64
        return ring_bytes(self.panes.windows)

    def check(self, row: Row) -> None:
        if self.panes is not None:
            ring.check(row, self.at)
