"""Lists, replayed: which items a profile holds, which are hidden, which deletes it remembers.

A delete that has been forgotten leaves what it hid hidden, and hides nothing that comes later. So a
list depends on arrival, and is replayed step by step: events in the order they came, merges where
they happened. Apart from forgetting, any order gives the same items; the laws' tests hold that.
"""

from __future__ import annotations

import msgspec

from reactor.spec.model import ListAttribute
from reactor.testing.reference_events import Item, ListChange
from reactor.testing.reference_identity import History, Joined
from reactor.testing.reference_values import same


class Kept(msgspec.Struct):
    """An item with its time; a hidden one keeps its place, but nobody sees it."""

    time_ms: int
    item: Item
    hidden: bool


class Delete(msgspec.Struct):
    """A delete that is remembered. name: what equal values share."""

    time_ms: int
    name: object


class Items(msgspec.Struct):
    """A list's state. Items and deletes are sorted by time, those of one time by arrival."""

    kept: list[Kept]
    deletes: list[Delete]
    cleared_ms: int | None

    def settle(self, attribute: ListAttribute) -> None:
        """Apply what is remembered to every item, then keep the newest."""
        self.kept.sort(key=lambda kept: kept.time_ms)
        if self.cleared_ms is not None:
            self.kept = [kept for kept in self.kept if kept.time_ms > self.cleared_ms]
        if attribute.unique:
            newest = {same(kept.item.value): kept for kept in self.kept}
            self.kept = [kept for kept in self.kept if newest[same(kept.item.value)] is kept]
        self.kept = self.kept[-attribute.max_items :]
        self.deletes.sort(key=lambda delete: delete.time_ms)
        latest = {delete.name: delete for delete in self.deletes}
        self.deletes = [delete for delete in self.deletes if latest[delete.name] is delete]
        for kept in self.kept:
            delete = latest.get(same(kept.item.value))
            kept.hidden = kept.hidden or (delete is not None and kept.time_ms <= delete.time_ms)
        self.deletes = self.deletes[-attribute.max_items :]


def replay(attribute: ListAttribute, history: History) -> Items:
    """Return the state of a list after a history."""
    items = Items([], [], None)
    for step in history:
        if isinstance(step, Joined):
            items = replay(attribute, step.survivor)
            for absorbed in step.absorbed:
                items = _merge(attribute, items, replay(attribute, absorbed))
            continue
        change = step.fact(attribute)
        assert isinstance(change, ListChange)
        items.kept += [Kept(step.time_ms, item, hidden=False) for item in change.items]
        items.deletes += [Delete(step.time_ms, same(value)) for value in change.deletes]
        if change.clear:
            items.cleared_ms = max(step.time_ms, items.cleared_ms or 0)
        items.settle(attribute)
    return items


def _merge(attribute: ListAttribute, survivor: Items, absorbed: Items) -> Items:
    # The absorbed profile's entries come first, so that at equal times the survivor's are the later ones.
    clears = [time_ms for time_ms in (survivor.cleared_ms, absorbed.cleared_ms) if time_ms is not None]
    items = Items(
        absorbed.kept + survivor.kept,
        absorbed.deletes + survivor.deletes,
        max(clears, default=None),
    )
    items.settle(attribute)
    return items


def live_items(attribute: ListAttribute, history: History, time_ms: int) -> list[Item]:
    """Return the items that can be seen at `time_ms`, oldest first."""
    return [
        kept.item
        for kept in replay(attribute, history).kept
        if not kept.hidden and time_ms - kept.time_ms < attribute.ttl_ms
    ]
