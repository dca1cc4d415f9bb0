"""All that an engine holds, as the blocks of a snapshot and back.

    H  the schema of the config it was made under
    B  batch rows: [lookup value, [valid from, [values], [segments]], ...], by lookup value
    W  waiting identifiers: [lookup value, [key, value], ...], by lookup value, then as they sort
    P  profiles, packed, by rid
    C  counts
    E  the end: how many profiles, identifiers and batch rows there are

All but H, C and E are arrays that go on through as many blocks as it takes.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, Final

import msgspec

from reactor.errors import SnapshotError
from reactor.identity import RID, Profile, is_at_rest
from reactor.state import file
from reactor.state.file import Block, records
from reactor.state.meaning import Schema, schema_of
from reactor.state.reload import Move, ReloadReport
from reactor.state.state import State

HEADER: Final = b"H"
ROWS: Final = b"B"
WAITING: Final = b"W"
PROFILES: Final = b"P"
COUNTS: Final = b"C"
_AT_ONCE: Final = 32  # profiles packed in one go: enough to be fast, few enough to take no room
_ORDER: Final = HEADER + ROWS + WAITING + PROFILES + COUNTS + file.END

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_decode_schema = msgspec.msgpack.Decoder(Schema).decode
_decode_profiles = msgspec.msgpack.Decoder(list[tuple[Any, msgspec.Raw]]).decode
_decode_array = msgspec.msgpack.Decoder(list[Any]).decode
# What reading of another shape than was written can raise, besides what msgspec finds.
MISSHAPEN: Final = (
    msgspec.MsgspecError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


def write(state: State, path: str | os.PathLike[str]) -> int:
    """Write a state to a file, in one step; return the file's size. Raises SnapshotError."""
    with collector_paused():
        return file.write(path, blocks(state))


def blocks(state: State) -> Iterator[tuple[bytes, bytes]]:
    """Yield the blocks of a state: the same for the same state, however it came about."""
    profiles = sorted(state.identity.profiles(), key=itemgetter(RID))
    yield HEADER, _encode(schema_of(state.layout))
    yield from records(ROWS, ((1, _encode(row)) for row in _rows(state)))
    yield from records(WAITING, ((1, _encode(entry)) for entry in state.waiting.state()))
    yield from records(PROFILES, _packed(state, profiles))
    yield COUNTS, _encode(state.tally())
    yield file.END, _encode(_totals(state))


def _packed(state: State, profiles: list[Profile]) -> Iterator[tuple[int, bytes]]:
    for place in range(0, len(profiles), _AT_ONCE):
        some = profiles[place : place + _AT_ONCE]
        if any(map(is_at_rest, some)):
            yield len(some), b"".join(map(state.resting.pack, some))
        else:
            yield len(some), state.packer.pack_some(some)


def _rows(state: State) -> Iterator[list[Any]]:
    for value, versions in sorted(state.batch.versions.items()):
        rows = zip(versions.times, versions.rows, strict=True)
        yield [value, *([time, row[:-1], sorted(row[-1])] for time, row in rows)]


def _totals(state: State) -> list[int]:
    identifiers = sum(map(len, state.identity.index))
    return [state.identity.profile_count, len(state.identity.rids), identifiers, len(state.batch)]


def restore(state: State, path: str | os.PathLike[str]) -> ReloadReport | None:
    """Fill a new state from a file; return what became of state made under another config, else None.

    Raises SnapshotError; the state must then be thrown away.
    """
    taking = _Taking(state, str(os.fspath(path)))
    with collector_paused():
        for block in file.read(path):
            taking.take(block)
    return taking.report


@contextmanager
def collector_paused() -> Iterator[None]:
    """Make objects by the million without a collection every few thousand, which would find nothing.

    At the end they are put with the oldest objects at once, without a look at each, unless the
    embedder has frozen some of its own: those would come loose.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if gc.get_freeze_count() == 0:
                gc.freeze()
                gc.unfreeze()
            gc.enable()


class _Taking:
    """Takes the blocks of one file into a new state."""

    def __init__(self, state: State, name: str) -> None:
        self.report: ReloadReport | None = None
        self._state = state
        self._name = name
        self._place = 0
        self._move: Move | None = None
        self._profiles = self._rows = 0

    def take(self, block: Block) -> None:
        """Take one block; the last one checks that all is there."""
        takers: dict[bytes, Callable[[bytes], None]] = {
            HEADER: self._take_header,
            ROWS: self._take_rows,
            WAITING: self._take_waiting,
            PROFILES: self._take_profiles,
            COUNTS: self._take_counts,
            file.END: self._take_end,
        }
        place = _ORDER.find(block.kind)
        is_next = place >= self._place if block.kind in (ROWS, WAITING, PROFILES) else place > self._place
        if place < 0 or (place and not is_next) or (self._place == 0 and block.kind != HEADER):
            raise self._damaged(block, "a block out of place")
        self._place = max(place, 1)
        try:
            takers[block.kind](block.content)
        except MISSHAPEN:
            pass
        else:
            return
        raise self._damaged(block, "a block of another shape")

    def _damaged(self, block: Block, got: str) -> SnapshotError:
        return SnapshotError(f"{self._name}: expected a whole snapshot, got {got}, at byte {block.offset}")

    def _take_header(self, content: bytes) -> None:
        old, new = _decode_schema(content), schema_of(self._state.layout)
        if old.fingerprint != new.fingerprint:
            self._move = Move(old, new, self._state)

    def _take_rows(self, content: bytes) -> None:
        fresh = []
        for value, *versions in _decode_array(content):
            self._rows += len(versions)
            for time, values, segments in versions:
                row = (*values, frozenset(segments))
                fresh.append((value, time, row if self._move is None else self._move.batch_row(row)))
        if self._move is None or self._move.keeps_rows:
            self._state.batch.put(fresh, replace=False)

    def _take_waiting(self, content: bytes) -> None:
        entries = [(value, [(k, text) for k, text in pairs]) for value, *pairs in _decode_array(content)]
        if self._move is not None:
            entries = self._move.waiting(entries)
        self._state.restore_waiting(entries)

    def _take_profiles(self, content: bytes) -> None:
        if self._move is None:
            packed = _decode_profiles(content)
            self._profiles += len(packed)
            self._state.adopt(self._state.resting.packed(packed))
            return
        plain = _decode_array(content)
        self._profiles += len(plain)
        self._state.adopt((row, row) for row in self._move.profiles(plain))

    def _take_counts(self, content: bytes) -> None:
        tally = _decode(content)
        self._state.restore_tally(tally if self._move is None else self._move.tally(tally))

    def _take_end(self, content: bytes) -> None:
        profiles, _, _, rows = totals = _decode(content)
        # An identifier or rid that stands on two profiles makes the state's own totals smaller.
        is_whole = totals == _totals(self._state) if self._move is None else True
        if not is_whole or (profiles, rows) != (self._profiles, self._rows):
            raise ValueError("totals")
        if self._move is not None:
            self.report = self._move.report()


def move(state: State, fresh: State) -> ReloadReport:
    """Fill a fresh state with that of another config, which is left as it is; say what became of it.

    Rows of profiles may be shared between the two: the old one must not be used afterwards.
    Cost: microseconds a profile; less where only sections changed.
    """
    moving = Move(schema_of(state.layout), schema_of(fresh.layout), fresh)
    if moving.keeps_rows:
        rows: Iterable[tuple[str, int, Any]] = (
            (value, time, moving.batch_row(row))
            for value, versions in state.batch.versions.items()
            for time, row in zip(versions.times, versions.rows, strict=True)
        )
        fresh.batch.put(rows, replace=False)
    else:
        moving.batch_rows_dropped = len(state.batch)
    entries = [(value, pairs) for value, *pairs in state.waiting.state()]
    fresh.restore_waiting(moving.waiting(entries))
    with collector_paused():
        fresh.adopt(_moved_profiles(state, moving))
    fresh.restore_tally(moving.tally(state.tally()))
    return moving.report()


def _moved_profiles(state: State, moving: Move) -> Iterable[tuple[Profile, Profile]]:
    profiles, resting = state.identity.profiles(), state.resting
    if moving.is_same_shape:
        return moving.seen((profile, resting.header(profile)) for profile in profiles)
    return ((row, row) for row in moving.profiles(map(resting.plain, profiles)))
