"""Snapshot files: whole or refused, whatever happens to them on the way."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from random import Random

import pytest
from crash import crash
from damage import damage
from shop import ROWS, config, events, filled

from reactor import Reactor, SnapshotError
from reactor.state import file, snapshot

GOLDEN = Path(__file__).with_name("version-1.state")


def test_a_crash_leaves_the_old_or_the_new() -> None:
    """Killed at random points while it writes; `crash.py` does it by the hundred."""
    crash(8, Random(2))


def test_damage_is_refused(tmp_path: Path) -> None:
    """Flipped, cut, moved and repeated bytes; `damage.py` does it by the hundred thousand."""
    assert damage(600, Random(3), tmp_path) > 500


def test_every_cut_is_refused(tmp_path: Path) -> None:
    """A file that ends too early, at any byte."""
    path = tmp_path / "state"
    filled(12).snapshot(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(SnapshotError, match="at byte"):
            list(file.read(path))


def test_a_failed_write_leaves_the_old(tmp_path: Path) -> None:
    """An error half-way through leaves the file that was there, and nothing beside it."""
    path = tmp_path / "state"
    path.write_bytes(b"old")

    def blocks() -> object:
        yield b"H", b"x"
        raise OSError(28, "No space left on device")

    with pytest.raises(
        SnapshotError, match=r"state: expected a file that can be written, got: No space left"
    ):
        file.write(path, blocks())  # type: ignore[arg-type]
    assert [each.name for each in tmp_path.iterdir()] == ["state"]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected a whole snapshot, got 0 bytes where the first bytes has 8, at byte 0"),
        (b"version: 1\nname: shop\n", "expected a whole snapshot, got a file of another kind, at byte 0"),
        (
            b"reactor\x00\x00\x07",
            "expected a whole snapshot, got format 7, this version reads 1 "
            "(made by a later version of the engine), at byte 8",
        ),
    ],
)
def test_what_is_no_snapshot(tmp_path: Path, data: bytes, message: str) -> None:
    """The message says what was found, and where."""
    path = tmp_path / "state"
    path.write_bytes(data)
    with pytest.raises(SnapshotError) as caught:
        Reactor(config(), state=path)
    assert str(caught.value) == f"{path}: {message}"
    assert caught.value.__context__ is None


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The system's reason, and no exception of the system."""
    with pytest.raises(
        SnapshotError, match="expected a snapshot, got a file that can't be read: No such file"
    ):
        Reactor(config(), state=tmp_path / "state")
    with pytest.raises(SnapshotError, match="expected a file that can be written, got: No such file"):
        filled(1).snapshot(tmp_path / "folder" / "state")


def block(kind: bytes, stored: bytes, whole_bytes: int, stored_bytes: int | None = None) -> bytes:
    """Return a file of one block whose checksums are right, whatever its lengths say."""
    begin = file.MAGIC + struct.pack(">H", file.VERSION)
    head = struct.pack(">cII", kind, len(stored) if stored_bytes is None else stored_bytes, whole_bytes)
    head += struct.pack(">I", zlib.crc32(head))
    digest = file._digest(file._digest(b"", begin), head, stored)
    return begin + head + digest + stored


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (block(b"H", b"", 10, 2**32 - 1), "0 bytes where a block has 4294967295, at byte 39"),
        (block(b"H", b"x" * 100, 2**32 - 1), "a block of another length than it says, at byte 10"),
        (block(b"H", zlib.compress(bytes(10**6)), 10), "a block of another length than it says, at byte 10"),
        (block(b"H", zlib.compress(b"x") + b"x", 1), "a block of another length than it says, at byte 10"),
        (block(b"H", zlib.compress(b"x"), 1), "a block of another shape, at byte 10"),
        (block(b"P", zlib.compress(b"\x90"), 1), "a block out of place, at byte 10"),
        (block(b"?", zlib.compress(b"\x90"), 1), "a block out of place, at byte 10"),
    ],
    ids=["stored", "whole", "bomb", "rest", "shape", "order", "kind"],
)
def test_lies_behind_right_checksums(tmp_path: Path, data: bytes, message: str) -> None:
    """A length is not believed, a block of the wrong kind is not read."""
    path = tmp_path / "state"
    path.write_bytes(data)
    with pytest.raises(SnapshotError) as caught:
        Reactor(config(), state=path)
    assert str(caught.value) == f"{path}: expected a whole snapshot, got {message}"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What a link points at is replaced; the file is for its owner only."""
    (tmp_path / "there").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "there" / "real")
    filled(3).snapshot(tmp_path / "state")
    assert (tmp_path / "state").is_symlink()
    assert (tmp_path / "there" / "real").stat().st_mode & 0o077 == 0


def test_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State goes on through as many blocks as it takes, and comes back from them."""
    monkeypatch.setattr(file, "BLOCK_BYTES", 40)
    monkeypatch.setattr(snapshot, "_AT_ONCE", 1)
    engine = filled()
    engine.snapshot(tmp_path / "state")
    kinds = b"".join(each.kind for each in file.read(tmp_path / "state"))
    assert kinds.count(b"P") > 5
    assert kinds.count(b"B") > 1
    again = Reactor(config(), state=tmp_path / "state")
    again.check()
    again.snapshot(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "state").read_bytes()


def test_the_golden_file_of_version_1() -> None:
    """A file written when the format was new loads, and what is in it is what was in it.

    `UPDATE_GOLDEN=1` writes it anew: only for a format that no release has.
    """
    if os.environ.get("UPDATE_GOLDEN"):
        filled().snapshot(GOLDEN)
    engine = Reactor(config(), state=GOLDEN)
    engine.check()
    fresh = filled()
    assert engine.stats() == fresh.stats()
    assert list(engine.rids()) == list(fresh.rids())
    for rid in fresh.rids():
        assert engine.profile(rid=rid) == fresh.profile(rid=rid)
    for table, event in events(90)[60:]:
        assert engine.process(event, table).json() == fresh.process(event, table).json()
    assert engine.import_batch(ROWS) == fresh.import_batch(ROWS)
