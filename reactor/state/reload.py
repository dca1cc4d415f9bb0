"""State under another config: what is kept, what starts anew, and why.

An attribute keeps its state if every aspect of what that means is as it was (see `meaning`):
then its packed state is read under the new config, brought to the new grid, order of columns or
number of items where those differ. Everything else starts as for a profile that is new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol, TypeAlias

import msgspec

from reactor.attributes.counter import narrowed
from reactor.attributes.imported import BatchRow
from reactor.identity import NEWEST, Identifier, Identity, Profile
from reactor.plan import Layout
from reactor.state.meaning import Form, Schema, WindowForm, former_name
from reactor.state.pack import HEAD_KEYS, HEAD_NEWEST, Packer, Plain
from reactor.units import to_datetime

# Packed state in, packed state out.
Convert: TypeAlias = Callable[[Plain], Plain]


class Change(msgspec.Struct, frozen=True):
    """What became of one attribute.

    reason: why, in a few words. was: its former name, if it was renamed.
    complete_from: window of a counter → the time from which its value misses nothing any more.
    """

    name: str
    reason: str
    was: str | None = None
    complete_from: Mapping[str, datetime] = {}


class ReloadReport(msgspec.Struct, frozen=True):
    """What became of state that was made under another config.

    kept, reset: attributes of both configs. added, dropped: of only the new, only the old one.
    identifiers_dropped: of keys that are gone, or that the keys' rules now refuse;
    identifiers_evicted: beyond `limits.associations`, merged-away rids among them.
    profiles_dropped: those that no identifier was left of. rows_dropped: batch rows that joined by
    another lookup key.
    """

    kept: tuple[Change, ...]
    reset: tuple[Change, ...]
    added: tuple[Change, ...]
    dropped: tuple[Change, ...]
    identifiers_dropped: int
    identifiers_evicted: int
    profiles_dropped: int
    rows_dropped: int


class Target(Protocol):
    """The new state, as far as a move asks it."""

    layout: Layout
    packer: Packer
    identity: Identity


class Move:
    """Moves state from one schema to another.

    keeps_rows: whether batch rows join by the same key. is_same_shape: whether rows of profiles
    are the same under both, so that they need not be made anew.
    """

    def __init__(self, old: Schema, new: Schema, target: Target) -> None:
        self.keeps_rows = old.lookup_key == new.lookup_key
        self.batch_rows_dropped = 0
        self._old, self._new, self._target = old, new, target
        self._changes: dict[str, list[Change]] = {each: [] for each in ("kept", "reset", "added", "dropped")}
        self._pairs = self._paired()
        self._bodies = [self._converter(form, was) for form, was in self._pairs]
        self._keys, self._judged = self._paired_keys()
        columns = {(each.column, each.dtype): place for place, each in enumerate(old.imported)}
        self._columns = [columns.get((each.column, each.dtype)) for each in new.imported]
        self._name_imported()
        self.is_same_shape = (
            self._keys == list(range(len(old.keys)))
            and not any(self._judged)
            and old.associations <= new.associations
            and self._bodies == [(place, None) for place in range(len(old.attributes))]
            and [form.columns for form in old.attributes] == [form.columns for form in new.attributes]
        )
        self._newest_ms = 0
        self._identifiers_dropped = self._identifiers_evicted = self._profiles_dropped = 0

    # Profiles

    def profiles(self, plain: Iterable[tuple[Plain, Plain]]) -> Iterator[Profile]:
        """Yield profiles of (head, body) as rows of the new config, but for those that nobody can meet."""
        packer, identity = self._target.packer, self._target.identity
        for head, body in plain:
            self._newest_ms = max(self._newest_ms, head[HEAD_NEWEST])
            row = packer.row(self._head(head))
            self._identifiers_evicted += identity.trim(row)
            if not any(row[slot] for slot in self._target.layout.key_slot.values()):
                self._profiles_dropped += 1
                continue
            yield packer.fill(row, self._body(body))

    def seen(self, profiles: Iterable[tuple[Profile, Profile]]) -> Iterator[tuple[Profile, Profile]]:
        """Yield profiles as they are, each with its header, and note how new they are."""
        for profile, header in profiles:
            self._newest_ms = max(self._newest_ms, header[NEWEST])
            yield profile, header

    def _head(self, head: Plain) -> Plain:
        moved = [*head[:HEAD_KEYS]]
        for k, was in enumerate(self._keys):
            seen = None if was is None else head[HEAD_KEYS + was]
            if seen is not None and self._judged[k]:
                seen = self._valid(k, seen)
            moved.append(seen)
        gone = set(range(len(self._old.keys))) - set(self._keys)
        self._identifiers_dropped += sum(len(head[HEAD_KEYS + k] or ()) for k in gone)
        return moved

    def _valid(self, k: int, seen: dict[str, int]) -> dict[str, int] | None:
        valid = self._target.identity.valid
        kept = {value: time for value, time in seen.items() if valid(k, value) is None}
        self._identifiers_dropped += len(seen) - len(kept)
        return kept or None

    def _body(self, body: Plain) -> Plain:
        moved = []
        for was, convert in self._bodies:
            state = None if was is None else body[was]
            moved.append(state if state is None or convert is None else convert(state))
        return moved

    # What is not a profile's

    def batch_row(self, row: BatchRow) -> BatchRow:
        """Return a batch row with the columns of the new config."""
        self.batch_rows_dropped += not self.keeps_rows
        return (*(None if was is None else row[was] for was in self._columns), row[-1])

    def waiting(self, entries: list[tuple[str, list[Identifier]]]) -> list[tuple[str, list[Identifier]]]:
        """Return the waiting identifiers that the new config has keys for."""
        if not self.keeps_rows:
            return []
        new_of = {was: k for k, was in enumerate(self._keys) if was is not None}
        valid = self._target.identity.valid
        moved = []
        for lookup, pairs in entries:
            kept = [(new_of[k], value) for k, value in pairs if k in new_of]
            kept = [(k, value) for k, value in kept if not self._judged[k] or valid(k, value) is None]
            if len(kept) > 1:
                moved.append((lookup, kept))
        return moved

    def tally(self, tally: dict[str, Any]) -> dict[str, Any]:
        """Return counts under the new names; those of attributes that start anew are left out."""
        names = {each.was or each.name: each.name for each in self._changes["kept"]}
        by_attribute = {
            count: {names[name]: number for name, number in tally[count].items() if name in names}
            for count in ("unusable", "dropped")
        }
        return {**tally, **by_attribute}

    def report(self) -> ReloadReport:
        """Say what became of everything; call it last."""
        kept = [self._complete(change) for change in self._changes["kept"]]
        reset, added, dropped = (tuple(self._changes[each]) for each in ("reset", "added", "dropped"))
        return ReloadReport(
            tuple(kept),
            reset,
            added,
            dropped,
            self._identifiers_dropped,
            self._identifiers_evicted,
            self._profiles_dropped,
            self.batch_rows_dropped,
        )

    # Which is which

    def _paired(self) -> list[tuple[Form, int | None]]:
        """Return each new attribute with the place of the old one it goes on from, if any."""
        old = {form.name: place for place, form in enumerate(self._old.attributes)}
        names = {form.name for form in self._new.attributes}
        pairs: list[tuple[Form, int | None]] = []
        for form in self._new.attributes:
            was = former_name(self._target.layout.config, form.name)
            name = was if form.name not in old and was in old and was not in names else form.name
            pairs.append((form, old.get(str(name))))
        met = {place for _, place in pairs}
        for place, form in enumerate(self._old.attributes):
            if place not in met:
                self._changes["dropped"].append(Change(form.name, "no longer in the config"))
        return pairs

    def _converter(self, form: Form, place: int | None) -> tuple[int | None, Convert | None]:
        """Return where an attribute's old state lies and how to convert it; note what becomes of it."""
        if place is None:
            self._changes["added"].append(Change(form.name, "not in the former config"))
            return None, None
        old = self._old.attributes[place]
        was = old.name if old.name != form.name else None
        reason = _difference(old, form)
        if reason:
            self._changes["reset"].append(Change(form.name, reason, was))
            return None, None
        self._changes["kept"].append(Change(form.name, "renamed" if was else "means the same", was))
        return place, _conversion(old, form)

    def _paired_keys(self) -> tuple[list[int | None], list[bool]]:
        old = {key.name: k for k, key in enumerate(self._old.keys)}
        places = [old.get(key.name) for key in self._new.keys]
        judged = [
            was is not None and self._old.keys[was].rules != key.rules
            for key, was in zip(self._new.keys, places, strict=True)
        ]
        return places, judged

    def _name_imported(self) -> None:
        """Note what becomes of imported attributes: they are read from rows, which a load replaces."""
        former = {each.name for each in self._old.imported}
        for form, was in zip(self._new.imported, self._columns, strict=True):
            if was is not None:
                self._changes["kept"].append(Change(form.name, "the same column and type"))
            elif form.name in former:
                reason = "another column or type: missing until rows are loaded"
                self._changes["reset"].append(Change(form.name, reason))
            else:
                self._changes["added"].append(Change(form.name, "missing until rows are loaded"))
        for name in sorted(former - {form.name for form in self._new.imported}):
            self._changes["dropped"].append(Change(name, "no longer in the config"))

    def _complete(self, change: Change) -> Change:
        """Add from when on the windows that reach further than what was retained are complete."""
        for form, place in self._pairs:
            if form.name != change.name or place is None or form.kind not in ("counter", "total"):
                continue
            old = self._old.attributes[place].windows
            late = {
                form.name if window.name is None else f"{form.name}.{window.name}": to_datetime(complete_ms)
                for window in form.windows
                if (complete_ms := _complete_ms(old, window, self._newest_ms)) is not None
            }
            if late:
                reason = "means the same; some windows reach back further than what was retained"
                return Change(change.name, reason, change.was, late)
        return change


def _difference(old: Form, new: Form) -> str:
    """Return why an attribute can't keep its state, or "" if it can."""
    if old.kind != new.kind:
        return f"it was a {old.kind}"
    changed = [name for name, digest in new.aspects.items() if old.aspects.get(name) != digest]
    if changed:
        return f"another {', '.join(changed)}"
    lengths = {window.window_ms for window in old.windows}
    widths = {(window.window_ms, window.pane_ms) for window in old.windows}
    same = [window for window in new.windows if window.window_ms in lengths]
    if any((window.window_ms, window.pane_ms) not in widths for window in same):
        return "another pane"
    if old.unit_ms and old.unit_ms % new.unit_ms and new.unit_ms % old.unit_ms:
        return "panes that do not nest with the former ones"
    return ""


def _complete_ms(old: tuple[WindowForm, ...], window: WindowForm, newest_ms: int) -> int | None:
    """Return when a window is complete that reaches further than was retained; None for at once.

    Panes as fine as the window's were retained as long as the longest window that needed them.
    """
    fine = [each.window_ms for each in old if each.pane_ms <= window.pane_ms]
    missing_ms = window.window_ms - max(fine, default=0)
    return newest_ms + missing_ms if missing_ms > 0 else None


def _conversion(old: Form, new: Form) -> Convert | None:
    """Return how packed state of one form becomes that of another of the same meaning; None: as it is."""
    if old.kind == "list" and (new.most < old.most or new.columns != old.columns):
        places = [old.columns.index(name) for name in new.columns]
        return lambda state: _list(state, places, new.most)
    if old.unit_ms != new.unit_ms:
        return lambda state: _rescaled(state, old.unit_ms, new.unit_ms)
    return None


def _list(packed: Plain, places: list[int], most: int) -> Plain:
    """Return the newest `most` items with their columns in another order."""
    times, *columns = packed
    further = columns[len(places) :]
    moved = [times[-most:], *(columns[place][-most:] for place in places)]
    for hidden, cleared, deletes in further:
        kept = hidden and hidden[-most:]
        moved.append([kept if kept and any(kept) else None, cleared, deletes and deletes[-2 * most :]])
    return moved


def _rescaled(packed: Plain, old_ms: int, new_ms: int) -> Plain:
    """Return a ring with panes of another width; one nests in the other."""
    starts, sums = narrowed(list(packed)) if len(packed) == 3 else packed
    moved: dict[int, int] = {}
    for place, pane in enumerate(starts):
        moved[pane * old_ms // new_ms] = sums[place + 1]  # cumulative: the last of a pane stands
    return list(moved), [0, *moved.values()]
