"""One file of the journal: a SQLite database in WAL mode, rows numbered without a gap.

    seq      number of the entry, from 1, over all files
    kind     what it is: an event, or batch rows
    place    `database.table`; "" for batch rows
    uuid     the event's, as sent or minted
    now_ms   the gateway's clock when it was accepted
    body     the event as sent; batch rows compressed with zlib
    crc      crc32 over all of these

A commit is synced to the disk before anyone is told of it. SQLite drops a torn end by itself;
the crc finds what has changed on the disk since.
"""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, NamedTuple

EVENT: Final = 1
BATCH: Final = 2

_CREATE: Final = """
CREATE TABLE entries (
  seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, place TEXT NOT NULL, uuid TEXT NOT NULL,
  now_ms INTEGER NOT NULL, body BLOB NOT NULL, crc INTEGER NOT NULL
)"""
_INSERT: Final = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)"
_SELECT: Final = "SELECT seq, kind, place, uuid, now_ms, body, crc FROM entries WHERE seq > ? ORDER BY seq"
_HEAD: Final = struct.Struct(">qqq")
_WAL_HEAD_BYTES: Final = 32
_FRAME_HEAD_BYTES: Final = 24


class Entry(NamedTuple):
    """A row of the journal."""

    seq: int
    kind: int
    place: str
    uuid: str
    now_ms: int
    body: bytes

    def crc(self) -> int:
        """Return the checksum over all of it."""
        head = _HEAD.pack(self.seq, self.kind, self.now_ms)
        return zlib.crc32(self.body, zlib.crc32(f"{self.place}\0{self.uuid}\0".encode(), zlib.crc32(head)))

    def __repr__(self) -> str:
        return f"Entry({self.seq}, {self.kind}, {len(self.body)} bytes)"


def path_of(folder: Path, first: int) -> Path:
    """Name the file whose first entry has the number `first`."""
    return folder / f"journal-{first:016d}.sqlite"


def first_of(path: Path) -> int:
    """Return the number of a file's first entry, as its name says."""
    return int(path.stem.partition("-")[2])


def paths(folder: Path) -> list[Path]:
    """Return the files of a journal in order."""
    return sorted(folder.glob("journal-" + "[0-9]" * 16 + ".sqlite"))


class Segment:
    """An open file of the journal. Used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = _connect(path)
        if not self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            self._connection.execute(_CREATE)

    def append(self, entries: Iterable[Entry]) -> None:
        """Write entries in one transaction, and sync it. Raises sqlite3.Error; then none is written."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany(_INSERT, [(*entry, entry.crc()) for entry in entries])
            execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                execute("ROLLBACK")
            raise

    def last(self) -> int:
        """Return the number of the last entry, or one before the first."""
        row = self._connection.execute("SELECT max(seq) FROM entries").fetchone()
        return first_of(self.path) - 1 if row[0] is None else int(row[0])

    def close(self) -> None:
        """Close the file; its WAL is moved into it."""
        with suppress(sqlite3.Error):
            self._connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 2000")
    return connection


class Damage(NamedTuple):
    """Where a file of the journal stops being whole: the next number, and what was found there."""

    path: Path
    seq: int
    got: str


class Reader:
    """Reads the files of a folder from a number on, as far as they are whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.damage: Damage | None = None
        self.torn: list[tuple[Path, str]] = []

    def entries(self, after: int) -> Iterator[Entry]:
        """Yield the entries behind the number `after`; stops at damage, and notes it."""
        expected = after + 1
        for path, is_last in _relevant(paths(self._folder), after):
            for entry in self._file(path, expected - 1):
                if entry.seq != expected:
                    self.damage = Damage(path, expected, f"entry {entry.seq}")
                    return
                yield entry
                expected += 1
            if self.damage is not None:
                return
            if not is_last and expected <= after:
                self.damage = Damage(path, expected, "its end")
                return

    def _file(self, path: Path, after: int) -> Iterator[Entry]:
        torn = torn_end(path)
        try:
            with closing(_connect(path)) as connection:
                if torn:
                    self.torn.append((path, torn))
                for row in connection.execute(_SELECT, (after,)):
                    entry = _whole(row)
                    if entry is None:
                        self.damage = Damage(path, after + 1, "an entry that is not what was written")
                        return
                    after = entry.seq
                    yield entry
        except sqlite3.Error as error:
            self.damage = Damage(path, after + 1, f"a file that is damaged ({error})")


def _whole(row: tuple[object, ...]) -> Entry | None:
    *values, crc = row
    kinds = (int, int, str, str, int, bytes)
    if not all(isinstance(value, kind) for value, kind in zip(values, kinds, strict=True)):
        return None
    entry = Entry(*values)  # type: ignore[arg-type]
    return entry if entry.crc() == crc else None


def _relevant(files: list[Path], after: int) -> Iterator[tuple[Path, bool]]:
    """Yield the files that may hold entries behind `after`, and whether each is the last."""
    for at, path in enumerate(files):
        is_last = at + 1 == len(files)
        if is_last or first_of(files[at + 1]) > after + 1:
            yield path, is_last


def torn_end(path: Path) -> str:
    """Say what is unfinished at the end of a file's WAL; "" where nothing is.

    SQLite forgets such an end when it opens the file: this must be asked before.
    """
    wal = path.with_name(path.name + "-wal")
    if not wal.exists():
        return ""
    content = wal.read_bytes()
    if len(content) < _WAL_HEAD_BYTES:
        return f"{len(content)} bytes of a head" if content else ""
    page_bytes = int.from_bytes(content[8:12], "big")
    frame_bytes = page_bytes + _FRAME_HEAD_BYTES
    if int.from_bytes(content[:4], "big") not in (0x377F0682, 0x377F0683) or not 512 <= page_bytes <= 65536:
        return "a head that is none"
    salts = content[16:24]
    written = whole = 0
    for start in range(_WAL_HEAD_BYTES, len(content), frame_bytes):
        head = content[start : start + _FRAME_HEAD_BYTES]
        if head[8:16] != salts[: len(head[8:16])] or len(head) < 8:
            break
        written += 1
        is_commit = len(content) >= start + frame_bytes and head[4:8] != b"\0\0\0\0"
        whole = written if is_commit else whole
    sound = _sound_frames(content, page_bytes, whole)
    return "" if sound == written else f"{written - sound} of {written} pages"


def _sound_frames(content: bytes, page_bytes: int, most: int) -> int:
    """Count the frames up to the last commit before the first wrong checksum; SQLite keeps as many."""
    order = ">" if content[3] & 1 else "<"
    s0 = s1 = 0
    s0, s1 = _sum(content[:24], order, s0, s1)
    if (s0, s1) != struct.unpack(">II", content[24:32]):
        return 0
    sound = 0
    for number in range(most):
        start = _WAL_HEAD_BYTES + number * (page_bytes + _FRAME_HEAD_BYTES)
        head = content[start : start + _FRAME_HEAD_BYTES]
        s0, s1 = _sum(head[:8], order, s0, s1)
        page = content[start + _FRAME_HEAD_BYTES : start + _FRAME_HEAD_BYTES + page_bytes]
        s0, s1 = _sum(page, order, s0, s1)
        if (s0, s1) != struct.unpack(">II", head[16:24]):
            break
        if head[4:8] != b"\0\0\0\0":
            sound = number + 1
    return sound


def _sum(content: bytes, order: str, s0: int, s1: int) -> tuple[int, int]:
    words = struct.unpack(f"{order}{len(content) // 4}I", content)
    for at in range(0, len(words), 2):
        s0 = (s0 + words[at] + s1) & 0xFFFFFFFF
        s1 = (s1 + words[at + 1] + s0) & 0xFFFFFFFF
    return s0, s1
