"""The file of a snapshot: blocks behind one another, each checked, the whole put in place at once.

    magic      8 bytes
    version    2 bytes, big-endian
    block      kind (1 byte), stored bytes (4), whole bytes (4), crc32 of these three (4),
               BLAKE2b (16), the content, compressed with zlib
    ...
    block      of kind END; nothing follows it

A block's BLAKE2b covers its head, its content and the BLAKE2b of the block before it, so that no
block can be changed, left out, repeated or moved. A length is believed only after its crc32 was
right and the file is seen to have that many bytes; a content is unpacked to no more than it says.
"""

from __future__ import annotations

import os
import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from reactor.errors import SnapshotError

MAGIC: Final = b"reactor\x00"
VERSION: Final = 1
END: Final = b"E"
BLOCK_BYTES: Final = 256 * 1024  # a block is closed when it holds as many

_VERSION: Final = struct.Struct(">H")
_HEAD: Final = struct.Struct(">cII")
_CRC: Final = struct.Struct(">I")
_DIGEST_BYTES: Final = 16
_BLOCK_HEAD_BYTES: Final = _HEAD.size + _CRC.size + _DIGEST_BYTES
_MOST_BYTES: Final = 1 << 30  # of one block, whole
_DEFLATE_MOST: Final = 1032  # times its size is what deflate can unpack to
_LEVEL: Final = 1


class Block(msgspec.Struct, frozen=True):
    """A block as read: where it began in the file, its kind, its content."""

    offset: int
    kind: bytes
    content: bytes

    def __repr__(self) -> str:
        return f"Block({self.kind!r} at byte {self.offset}, {len(self.content)} bytes)"


def write(path: str | os.PathLike[str], blocks: Iterable[tuple[bytes, bytes]]) -> int:
    """Write (kind, content) blocks to a new file that then takes the place of `path`.

    Returns the file's size. Whatever happens on the way, `path` is the old file or the new one;
    a crash may leave a file `NAME.….tmp` beside it. Raises SnapshotError if it can't be written.
    """
    target = Path(path)
    try:
        return _write(target, blocks)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise SnapshotError(f"{target}: expected a file that can be written, got: {reason}")


def _write(target: Path, blocks: Iterable[tuple[bytes, bytes]]) -> int:
    # A link is followed: what it points at is replaced, not the link.
    target = target.resolve()
    handle, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            size = _write_blocks(stream, blocks)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    _sync_folder(target.parent)
    return size


def _write_blocks(stream: BinaryIO, blocks: Iterable[tuple[bytes, bytes]]) -> int:
    begin = MAGIC + _VERSION.pack(VERSION)
    stream.write(begin)
    size, digest = len(begin), _digest(b"", begin)
    for kind, content, stored in _compressed(blocks):
        head = _HEAD.pack(kind, len(stored), len(content))
        head += _CRC.pack(zlib.crc32(head))
        digest = _digest(digest, head, stored)
        stream.write(head + digest)
        stream.write(stored)
        size += _BLOCK_HEAD_BYTES + len(stored)
    return size


def _compressed(blocks: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield (kind, content, compressed content): one block is compressed while the next is made."""
    before: tuple[bytes, bytes, Future[bytes]] | None = None
    with ThreadPoolExecutor(1, "reactor snapshot") as pool:
        for kind, content in blocks:
            assert len(content) <= _MOST_BYTES
            compressing = pool.submit(zlib.compress, content, _LEVEL)
            if before is not None:
                yield before[0], before[1], before[2].result()
            before = kind, content, compressing
        if before is not None:
            yield before[0], before[1], before[2].result()


def _digest(before: bytes, *parts: bytes) -> bytes:
    hashing = blake2b(before, digest_size=_DIGEST_BYTES)
    for part in parts:
        hashing.update(part)
    return hashing.digest()


def _sync_folder(folder: Path) -> None:
    """Let the new name survive a power cut; not every system can sync a folder."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read(path: str | os.PathLike[str]) -> Iterator[Block]:
    """Yield the blocks of a file, each as soon as it is read and checked; the last is that of the end.

    Raises SnapshotError that says what is wrong and at which byte. What was yielded before it is
    whole, and must not be used: the file as a whole is not.
    """
    name = os.fspath(path)
    try:
        stream = Path(path).open("rb")  # noqa: SIM115  closed below; only the opening is inside `try`
    except OSError as error:
        reason = error.strerror or type(error).__name__
    else:
        with stream:
            yield from _Reader(stream, str(name)).blocks()
        return
    raise SnapshotError(f"{name}: expected a snapshot, got a file that can't be read: {reason}")


class _Reader:
    """Reads one file from its beginning."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._size = os.fstat(stream.fileno()).st_size
        self._offset = 0

    def blocks(self) -> Iterator[Block]:
        """Yield every block."""
        digest = _digest(b"", self._begin())
        kind = b""
        while kind != END:
            offset = self._offset
            head = self._take(_HEAD.size + _CRC.size, "the head of a block")
            kind, stored_bytes, whole_bytes = _HEAD.unpack(head[: _HEAD.size])
            if _CRC.unpack(head[_HEAD.size :])[0] != zlib.crc32(head[: _HEAD.size]):
                raise self._damaged(offset, "the head of a block that is not what was written")
            expected = self._take(_DIGEST_BYTES, "the checksum of a block")
            stored = self._take(stored_bytes, "a block")
            digest = _digest(digest, head, stored)
            if digest != expected:
                raise self._damaged(offset, "a block that is not what was written")
            yield Block(offset, kind, self._inflate(offset, stored, whole_bytes))
        if self._offset != self._size:
            raise self._damaged(self._offset, f"{self._size - self._offset} bytes behind the end")

    def _begin(self) -> bytes:
        magic = self._take(len(MAGIC), "the first bytes")
        if magic != MAGIC:
            raise self._damaged(0, "a file of another kind")
        version = self._take(_VERSION.size, "the format's version")
        (number,) = _VERSION.unpack(version)
        if number != VERSION:
            hint = "made by a later version of the engine" if number > VERSION else "no such format"
            raise self._damaged(len(MAGIC), f"format {number}, this version reads {VERSION} ({hint})")
        return magic + version

    def _take(self, count: int, what: str) -> bytes:
        left = self._size - self._offset
        data = self._stream.read(count) if count <= left else b""
        if len(data) != count:
            raise self._damaged(self._offset, f"{max(left, 0)} bytes where {what} has {count}")
        self._offset += count
        return data

    def _inflate(self, offset: int, stored: bytes, whole_bytes: int) -> bytes:
        content = b""
        is_whole = False
        if whole_bytes <= min(_MOST_BYTES, len(stored) * _DEFLATE_MOST):
            inflating = zlib.decompressobj()
            with suppress(zlib.error):
                content = inflating.decompress(stored, whole_bytes + 1)
                is_whole = inflating.eof and not inflating.unused_data and len(content) == whole_bytes
        if not is_whole:
            raise self._damaged(offset, "a block of another length than it says")
        return content

    def _damaged(self, offset: int, got: str) -> SnapshotError:
        return SnapshotError(f"{self._name}: expected a whole snapshot, got {got}, at byte {offset}")


def records(kind: bytes, packed: Iterable[tuple[int, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Gather MessagePack values into blocks, each an array of some of them.

    packed: (how many values, the values one behind the other); together in one block.
    """
    gathered: list[bytes] = []
    count = size = 0
    for number, values in packed:
        gathered.append(values)
        count += number
        size += len(values)
        if size >= BLOCK_BYTES:
            yield kind, _array(count, gathered)
            gathered, count, size = [], 0, 0
    if gathered:
        yield kind, _array(count, gathered)


def _array(count: int, values: list[bytes]) -> bytes:
    return b"\xdd" + count.to_bytes(4, "big") + b"".join(values)
