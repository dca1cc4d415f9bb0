"""What a snapshot is made of: what costs room, what is over-stitched, what was dropped. No values."""

from __future__ import annotations

import os
from heapq import heappush, heappushpop
from typing import Any, Final

import msgspec

from reactor.errors import SnapshotError
from reactor.identity import format_rid
from reactor.state import file
from reactor.state.meaning import Schema
from reactor.state.pack import HEAD_ABSORBED, HEAD_CREATED, HEAD_KEYS, HEAD_NEWEST, HEAD_RID, Plain
from reactor.state.snapshot import COUNTS, HEADER, MISSHAPEN, PROFILES, ROWS, WAITING, blocks
from reactor.state.state import State

MOST_SHOWN: Final = 10  # profiles listed as the largest, and as the most merged

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_decode_schema = msgspec.msgpack.Decoder(Schema).decode


class ProfileSize(msgspec.Struct, frozen=True):
    """One profile by its rid: its bytes, packed, its identifiers, and the profiles merged into it."""

    rid: str
    bytes: int
    identifiers: int
    merged: int


class Inspection(msgspec.Struct):
    """What `reactor inspect` shows.

    identifiers: by key. file_bytes: of the file, compressed, 0 where there is none; all other bytes
    are packed ones.
    bytes_by_attribute: packed state; `bytes_by_kind` also has `identity`, headers and identifiers,
    and `imported`, batch rows with what they join.
    oldest_ms, newest_ms: times of the oldest and of the newest event of any profile; idle_ms: of the
    newest event of the profile that has been idle for longest. None where there are no profiles.
    counts: as `stats()` has them, with what was dropped, by reason.
    """

    name: str
    fingerprint: str
    file_bytes: int
    profiles: int
    identifiers: dict[str, int]
    merged: int
    imported_rows: int
    bytes_by_attribute: dict[str, int]
    bytes_by_kind: dict[str, int]
    largest: list[ProfileSize]
    most_merged: list[ProfileSize]
    oldest_ms: int | None
    newest_ms: int | None
    idle_ms: int | None
    counts: dict[str, Any]


def inspect(path: str | os.PathLike[str]) -> Inspection:
    """Read a snapshot once, from its beginning, and sum up what is in it. Raises SnapshotError."""
    summing = _Summing()
    for block in file.read(path):
        try:
            summing.take(block.kind, block.content)
        except MISSHAPEN:
            pass
        else:
            continue
        reason = f"expected a whole snapshot, got a block of another shape, at byte {block.offset}"
        raise SnapshotError(f"{os.fspath(path)}: {reason}")
    return summing.result(os.stat(path).st_size)  # noqa: PTH116  the argument may be any path


def inspect_state(state: State) -> Inspection:
    """Return what `inspect` would say of a snapshot of this state, without a file. Cost: as a snapshot."""
    summing = _Summing()
    for kind, content in blocks(state):
        if kind != file.END:
            summing.take(kind, content)
    return summing.result(0)


class _Summing:
    """Sums up block by block."""

    def __init__(self) -> None:
        self._schema: Schema | None = None
        self._counts: dict[str, Any] = {}
        self._identifiers: list[int] = []
        self._attributes: list[int] = []
        self._identity_bytes = self._imported_bytes = 0
        self._profiles = self._merged = self._rows = 0
        self._largest: list[tuple[int, int, ProfileSize]] = []
        self._most_merged: list[tuple[int, int, ProfileSize]] = []
        self._created: int | None = None
        self._newest: int | None = None
        self._idle: int | None = None

    def take(self, kind: bytes, content: bytes) -> None:
        """Take one block's content."""
        if kind == HEADER:
            self._schema = _decode_schema(content)
            self._identifiers = [0] * len(self._schema.keys)
            self._attributes = [0] * len(self._schema.attributes)
        elif self._schema is None:
            raise ValueError("no header")
        elif kind == COUNTS:
            self._counts = _decode(content)
        elif kind == PROFILES:
            for head, body in _decode(content):
                self._take_profile(head, body)
        elif kind in (ROWS, WAITING):
            self._imported_bytes += len(content)
            if kind == ROWS:
                self._rows += sum(len(versions) - 1 for versions in _decode(content))

    def _take_profile(self, head: Plain, body: Plain) -> None:
        self._profiles += 1
        size = head_bytes = len(_encode(head))
        self._identity_bytes += head_bytes
        for place, state in enumerate(body):
            if state is not None:
                state_bytes = len(_encode(state))
                self._attributes[place] += state_bytes
                size += state_bytes
        held = [len(seen or ()) for seen in head[HEAD_KEYS:]]
        for k, number in enumerate(held):
            self._identifiers[k] += number
        merged = len(head[HEAD_ABSORBED] or ())
        self._merged += merged
        rid = int.from_bytes(head[HEAD_RID], "big")
        shown = ProfileSize(format_rid(rid), size, sum(held), merged)
        _keep(self._largest, size, rid, shown)
        if merged:
            _keep(self._most_merged, merged, rid, shown)
        newest, created = head[HEAD_NEWEST], head[HEAD_CREATED]
        self._created = created if self._created is None else min(self._created, created)
        self._newest = newest if self._newest is None else max(self._newest, newest)
        self._idle = newest if self._idle is None else min(self._idle, newest)

    def result(self, file_bytes: int) -> Inspection:
        """Return what came together."""
        schema = self._schema
        assert schema is not None
        by_attribute = {
            form.name: number for form, number in zip(schema.attributes, self._attributes, strict=True)
        }
        by_kind = {"identity": self._identity_bytes, "imported": self._imported_bytes}
        for form in schema.attributes:
            by_kind[form.kind] = by_kind.get(form.kind, 0) + by_attribute[form.name]
        keys = {key.name: number for key, number in zip(schema.keys, self._identifiers, strict=True)}
        return Inspection(
            schema.name,
            schema.fingerprint,
            file_bytes,
            self._profiles,
            keys,
            self._merged,
            self._rows,
            by_attribute,
            by_kind,
            _ranked(self._largest),
            _ranked(self._most_merged),
            self._created,
            self._newest,
            self._idle,
            self._counts,
        )


def _keep(heap: list[tuple[int, int, ProfileSize]], number: int, rid: int, shown: ProfileSize) -> None:
    """Keep the profiles with the greatest numbers; of equal ones the older."""
    entry = (number, -rid, shown)
    if len(heap) < MOST_SHOWN:
        heappush(heap, entry)
    else:
        heappushpop(heap, entry)


def _ranked(heap: list[tuple[int, int, ProfileSize]]) -> list[ProfileSize]:
    return [shown for _, _, shown in sorted(heap, key=lambda entry: entry[:2], reverse=True)]
