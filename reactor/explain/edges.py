"""The instants at which what a name comes to changes by itself.

a window       a pane leaves it: a pane that begins at s, in windows of length W cut into panes of
               width g, is last counted before W + g * (s // g + 1)
a list, a ttl  an item or a value is last seen before its time + ttl
a backfill     its base becomes valid, or expires
a batch row    another row of the lookup value becomes valid
a read         a profile has been idle for long enough
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from reactor.attributes.counter import CounterSlots, TotalSlots
from reactor.attributes.imported import BatchTable
from reactor.attributes.lists import ListSlots
from reactor.attributes.single import NEVER, SingleSlots
from reactor.criteria import Ref
from reactor.criteria.tree import Compare
from reactor.explain.tree import Leaf, computed_of, refs_in
from reactor.identity import Profile
from reactor.plan.layout import Layout
from reactor.spec.model import Backfill, Imported
from reactor.units import MAX_TIME_MS


class Edges:
    """The edges of what one explanation reads.

    before, after: the rows that may be read, each from some instant on.
    always: instants at which any of it may change.
    """

    def __init__(
        self,
        layout: Layout,
        batch: BatchTable,
        before: Sequence[Profile],
        after: Sequence[Profile],
        always: Sequence[int],
    ) -> None:
        self._layout = layout
        self._batch = batch
        self._before = before
        self._after = after
        self._always = always
        self._known: dict[tuple[str, str, bool], list[int]] = {}

    def of_leaf(self, leaf: Leaf, now_ms: int) -> list[int]:
        """Return the instants after `now_ms` at which something a leaf reads may change, ascending."""
        refs = [ref for ref, _ in leaf.read if ref.kind in ("profile", "segment")]
        if len(refs) == 1 and not self._always:
            return self._of(refs[0], now_ms)
        found = {at for ref in refs for at in self._of(ref, now_ms)}
        found.update(at for at in self._always if at > now_ms)
        return sorted(found)

    def falls(self, leaf: Leaf, now_ms: int) -> bool:
        """Tell whether a leaf compares a sum that can only fall with what stays: it turns once at most."""
        node = leaf.node
        if self._always or not isinstance(node, Compare) or node.op not in ("<", "<=", ">", ">="):
            return False
        mine = [ref for ref in leaf.refs if ref.kind in ("profile", "segment")]
        if len(mine) != 1 or mine[0] not in (node.left, node.right) or len(list(refs_in(node))) != 1:
            return False
        ref = mine[0]
        slots = self._layout.slots.get(ref.name.partition(".")[0])
        if isinstance(slots, TotalSlots) and slots.attribute.backfill is not None:
            return False
        if not isinstance(slots, CounterSlots | TotalSlots) or slots.panes is None:
            return False
        if slots.attribute.increment is None:
            return True
        rows = (self._part(ref.name, row) for row in self._rows(ref))
        return all(
            low <= high for row in rows if row is not None for low, high in pairwise(row[slots.at + 1])
        )

    def _rows(self, ref: Ref) -> Sequence[Profile]:
        return self._before if ref.before else self._after

    def _part(self, name: str, row: Profile) -> Any:
        return row[self._layout.part_of[name.partition(".")[0]]]

    def _of(self, ref: Ref, now_ms: int) -> list[int]:
        key = (ref.kind, ref.name, ref.before)
        found = self._known.get(key)
        if found is None:
            instants = {
                at for row in self._rows(ref) for at in self._instants(ref, row) if now_ms < at <= MAX_TIME_MS
            }
            found = self._known[key] = sorted(instants)
        return found

    def _instants(self, ref: Ref, row: Profile) -> Iterable[int]:
        layout = self._layout
        if ref.kind == "segment":
            return self._row_times(row)
        base, _, part = ref.name.partition(".")
        if ref.name in layout.key_slot or computed_of(ref, layout.config) is not None:
            return ()
        if isinstance(layout.config.attributes[base], Imported):
            return self._row_times(row)
        slots, state = layout.slots[base], self._part(base, row)
        state = layout.templates[layout.part_of[base]] if state is None else state
        if isinstance(slots, SingleSlots):
            return self._single(slots, state, row)
        if isinstance(slots, ListSlots):
            return [time + slots.attribute.ttl_ms for time in state[slots.at]]
        if isinstance(slots, TotalSlots):
            return self._total(slots, state, row)
        window = next(each for each in slots.attribute.windows if (each.name or "") == part)
        return _panes(state[slots.at], slots.panes.unit_ms, window.window_ms, window.pane_ms)

    def _single(self, slots: SingleSlots, state: Any, row: Profile) -> Iterator[int]:
        attribute, time = slots.attribute, state[slots.at + 1]
        if time != NEVER and attribute.ttl_ms is not None:
            yield time + attribute.ttl_ms
        if attribute.backfill is not None:
            yield from self._row_times(row)
            for base_ms in self._base_times(attribute.backfill, row):
                yield base_ms
                if attribute.ttl_ms is not None:
                    yield base_ms + attribute.ttl_ms

    def _total(self, slots: TotalSlots, state: Any, row: Profile) -> Iterator[int]:
        attribute = slots.attribute
        if attribute.discard_ms is not None:
            assert slots.panes is not None
            yield from _panes(state[slots.at], slots.panes.unit_ms, attribute.discard_ms, attribute.pane_ms)
        if attribute.backfill is not None:
            yield from self._row_times(row)
            yield from self._base_times(attribute.backfill, row)

    def _row_times(self, row: Profile) -> Iterator[int]:
        """Yield when batch rows of the profile's lookup values become valid."""
        return (time for _, time in self._versions(row))

    def _base_times(self, backfill: Backfill, row: Profile) -> Iterator[int]:
        place = self._layout.imported[backfill.time]
        times = (values[place] for values, _ in self._versions(row))
        return (time for time in times if time is not None)

    def _versions(self, row: Profile) -> Iterator[tuple[Any, int]]:
        lookup = self._layout.config.lookup_key
        if lookup is None:
            return
        for value in row[self._layout.key_slot[lookup]] or ():
            versions = self._batch.versions.get(value)
            if versions is not None:
                yield from zip(versions.rows, versions.times, strict=True)


def _panes(starts: Sequence[int], unit_ms: int, window_ms: int, pane_ms: int) -> list[int]:
    """Return when each pane leaves a window."""
    return [window_ms + pane_ms * (start * unit_ms // pane_ms + 1) for start in starts]
