"""Where everything of a profile lies, decided once from the config.

A profile is a flat row:

    [rid, created, newest, absorbed, key 0, ..., key K-1, part 0, ..., part P-1]

A part is a flat row of its own, with the slots of all attributes that the same tables feed;
it is made at the first event that touches it, so that a profile pays only for what it used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from reactor.attributes.counter import CounterSlots, TotalSlots
from reactor.attributes.imported import BatchRow
from reactor.attributes.kind import Row
from reactor.attributes.lists import ListSlots
from reactor.attributes.single import SingleSlots
from reactor.identity import KEYS, NEWEST, Profile
from reactor.spec.model import Config, Counter, Imported, ListAttribute, Single, Total, Trigger

Slots: TypeAlias = SingleSlots | ListSlots | CounterSlots | TotalSlots

_KINDS: Final = {Single: SingleSlots, ListAttribute: ListSlots, Counter: CounterSlots, Total: TotalSlots}


def triggers_of(attribute: Any) -> Iterator[Trigger]:
    """Yield everything that may change an attribute with state."""
    for role in ("on", "delete_on", "clear_on"):
        yield from getattr(attribute, role, ())


class Layout:
    """The places of keys, parts and slots.

    key_slot: key → place in the profile's row.
    slots: attribute with state → its slots; part_of: → the place of its part in the row.
    templates: place of a part → the part of a profile that never touched it; not to be changed.
    imported: imported attribute → its place in a batch row; the segments lie at `segments_at`.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.key_slot = {key.name: KEYS + index for index, key in enumerate(config.keys)}
        self.slots: dict[str, Slots] = {}
        self.part_of: dict[str, int] = {}
        self.templates: dict[int, Row] = {}
        self._by_part: dict[int, list[Slots]] = {}
        self._place_parts()
        imported = [name for name, each in config.attributes.items() if isinstance(each, Imported)]
        self.imported = {name: place for place, name in enumerate(imported)}
        self.segments_at = len(imported)
        self._blank: Final = [None] * (len(config.keys) + len(self.templates))

    def _place_parts(self) -> None:
        parts: dict[frozenset[str], int] = {}
        for name, attribute in self.config.attributes.items():
            kind = _KINDS.get(type(attribute))
            if kind is None:
                continue
            events = self.config.key_events
            tables = frozenset(events[trigger.key_event].table for trigger in triggers_of(attribute))
            part = parts.setdefault(tables, KEYS + len(self.config.keys) + len(parts))
            template = self.templates.setdefault(part, [])
            slots: Slots = kind(attribute, len(template))
            template.extend(slots.template())
            self.slots[name] = slots
            self.part_of[name] = part
            self._by_part.setdefault(part, []).append(slots)

    def new(self, rid: int, time_ms: int) -> Profile:
        """Return the row of a new profile, founded by an event at `time_ms`."""
        return [rid, time_ms, time_ms, None, *self._blank]

    def merge(self, survivor: Profile, absorbed: Sequence[Profile]) -> Profile:
        """Return a new row with the parts of all, changing none.

        absorbed: ascending by rid. The header is the survivor's, for identity to fill in.
        At equal times the older profile's entries count as the later arrivals.
        """
        merged = list(survivor)
        newest_ms = max(profile[NEWEST] for profile in (survivor, *absorbed))
        for part in self.templates:
            rows = [profile[part] for profile in (survivor, *absorbed) if profile[part] is not None]
            if not rows:
                continue
            row = rows.pop()
            while rows:
                row = self._merge_part(part, rows.pop(), row, newest_ms)
            merged[part] = row
        return merged

    def _merge_part(self, part: int, survivor: Row, absorbed: Row, newest_ms: int) -> Row:
        merged = list(self.templates[part])
        for slots in self._by_part[part]:
            slots.merge(survivor, absorbed, merged, newest_ms)
        return merged

    def state(self, profile: Profile) -> dict[str, object]:
        """Return the canonical state of every attribute that has one, as of the newest event."""
        states = {}
        for name, slots in self.slots.items():
            row = profile[self.part_of[name]]
            state = None if row is None else slots.state(row, profile[NEWEST])
            if state is not None:
                states[name] = state
        return states

    def check(self, profile: Profile) -> None:
        """Assert what must hold of every row."""
        assert len(profile) == KEYS + len(self._blank)
        for part, template in self.templates.items():
            row = profile[part]
            assert row is not template
            if row is not None:
                assert len(row) == len(template)
                for slots in self._by_part[part]:
                    slots.check(row)

    def check_templates(self) -> None:
        """Assert that no profile has changed what all profiles share."""
        for part, template in self.templates.items():
            fresh: list[object] = []
            for slots in self._by_part[part]:
                fresh.extend(slots.template())
            assert fresh == template

    def empty_batch_row(self) -> BatchRow:
        """Return the batch row of a profile that has none."""
        return (*(None,) * self.segments_at, frozenset())
