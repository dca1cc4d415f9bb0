"""CSV as RFC 4180 has it: every column text, an empty field absent, a malformed row a bad row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import chain
from typing import Any, BinaryIO, Final, cast

import polars as pl
from polars.exceptions import PolarsError

from reactor.errors import EventError
from reactor.frames.rows import BadRow, FrameRows
from reactor.frames.wellformed import is_wellformed

_BLOCK: Final = 50_000
_MARK: Final = b"\xef\xbb\xbf"  # the byte-order mark


def read_csv(content: bytes, path: str) -> FrameRows:
    """Read CSV in UTF-8, with a header; a byte-order mark and blank lines are skipped.

    path: names the file in errors.
    A row with another number of fields than the header, with malformed quotes or with bytes that are
    not UTF-8 is a bad row. Raises EventError if the header can't be used.
    """
    content = content.removeprefix(_MARK)
    records = _records(_reader(content))
    names = _header(next(records, None), path)
    frame = _read_fast(content, names)
    if frame is not None:
        return FrameRows(_without_empty(frame), {})
    return _joined(list(_read_slow(records, names, _BLOCK)), names)


class Cut:
    """A CSV file in pieces. names: of the columns.

    Bytes are cut behind the last line end that is not inside quotes. As long as each cut is
    well-formed all through, it certainly holds whole records; from the first that is not, the
    reader that knows bad rows reads on, record by record.
    """

    def __init__(self, blocks: Iterator[bytes], path: str, rows: int) -> None:
        text = b""
        for block in blocks:
            text += block
            if text.removeprefix(_MARK).lstrip(b"\r\n").count(b"\n"):
                break
        text = text.removeprefix(_MARK)
        self._blocks = blocks
        self._size = rows
        self._head = text[: text.find(b"\n") + 1]
        self._rest = text[len(self._head) :]
        self._records: Iterator[list[str] | BadRow] | None = None
        first = next(_records(_reader(self._head)), None)
        if not isinstance(first, list) or not is_wellformed(self._head, len(first)):
            self._records = self._slow_records(text)
            first = next(self._records, None)
        self.names = _header(first, path)

    def rows(self) -> Iterator[FrameRows]:
        """Yield the rows, once."""
        if self._records is None:
            yield from self._fast_rows()
        if self._records is not None:
            yield from _read_slow(self._records, self.names, self._size)

    def _fast_rows(self) -> Iterator[FrameRows]:
        """Yield rows as long as they are well-formed; then leave the rest to the other reader."""
        text = self._rest
        for block in chain(self._blocks, (b"",)):
            text += block
            end = _last_end(text) if block else len(text)
            if not end:
                continue
            frame = _read_fast(self._head + text[:end], self.names)
            if frame is None:
                self._records = self._slow_records(text)
                return
            yield FrameRows(_without_empty(frame), {})
            text = text[end:]

    def _slow_records(self, text: bytes) -> Iterator[list[str] | BadRow]:
        stream = cast(BinaryIO, io.BufferedReader(_Stream(chain((text,), self._blocks))))
        return _records(_stream_reader(stream))


def _last_end(text: bytes) -> int:
    """Return where the last line ends that does so outside of quotes, 0 if there is none."""
    end = text.rfind(b"\n") + 1
    quotes = text.count(b'"', 0, end)
    while end and quotes % 2:
        shorter = text.rfind(b"\n", 0, end - 1) + 1
        quotes -= text.count(b'"', shorter, end)
        end = shorter
    return end


class _Stream(io.RawIOBase):
    """Blocks of bytes as a stream."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._left = memoryview(block)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def _read_fast(content: bytes, names: list[str]) -> pl.DataFrame | None:
    """Return the rows if all of them are well-formed, else None."""
    if not is_wellformed(content, len(names)):
        return None
    try:
        frame = pl.read_csv(content, infer_schema=False)
    except PolarsError:
        return None
    return frame if frame.columns == names else None


def _read_slow(records: Iterator[list[str] | BadRow], names: list[str], size: int) -> Iterator[FrameRows]:
    """Yield the rows, each read by itself, with what is wrong with the bad ones."""
    bad: dict[int, BadRow] = {}
    block: list[list[str]] = []
    for record in records:
        if isinstance(record, BadRow) or len(record) != len(names):
            bad[len(block)] = record if isinstance(record, BadRow) else _odd_length(names, record)
            record = [""] * len(names)
        block.append(record)
        if len(block) == size:
            yield _block_rows(names, block, bad)
            block, bad = [], {}
    if block:
        yield _block_rows(names, block, bad)


def _joined(pieces: list[FrameRows], names: list[str]) -> FrameRows:
    """Return the rows of pieces of one size as one."""
    bad: dict[int, BadRow] = {}
    start = 0
    for piece in pieces:
        bad.update((start + number, row) for number, row in piece.bad.items())
        start += len(piece)
    return FrameRows(pl.concat([_frame(names, []), *(piece.frame for piece in pieces)]), bad)


def _without_empty(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.when(pl.all() != "").then(pl.all()))


def _reader(content: bytes) -> Iterator[list[str]]:
    return _stream_reader(io.BytesIO(content))


def _stream_reader(content: BinaryIO) -> Iterator[list[str]]:
    # Bytes that are not UTF-8 become lone surrogates, so that they spoil their own row only.
    text = io.TextIOWrapper(content, encoding="utf-8", errors="surrogateescape", newline="")
    return csv.reader(text, strict=True)


def _records(reader: Iterator[list[str]]) -> Iterator[list[str] | BadRow]:
    """Yield records; a blank line is none."""
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error:
            # The reader starts afresh on the next line. Its message may quote the field's text.
            yield BadRow("$", "expected quotes as in RFC 4180, and fields of at most 131,072 characters")
            continue
        if record:
            yield record


def _header(record: list[str] | BadRow | None, path: str) -> list[str]:
    if record is None:
        raise EventError(path, "expected CSV with a header, got an empty file")
    if isinstance(record, BadRow) or any(not name.isprintable() for name in record):
        raise EventError(path, "expected CSV with a header in UTF-8, got something else")
    twice = sorted({name for name in record if record.count(name) > 1})
    if twice:
        raise EventError(path, f'expected a header that names each column once, got "{twice[0]}" twice')
    return record


def _odd_length(names: list[str], record: list[str]) -> BadRow:
    return BadRow("$", f"expected {len(names)} fields, as in the header, got {len(record)}")


def _block_rows(names: list[str], block: list[list[str]], bad: dict[int, BadRow]) -> FrameRows:
    """Return records as rows; those that are not UTF-8 are bad too."""
    return FrameRows(_without_empty(_block_frame(names, block, bad)), bad)


def _block_frame(names: list[str], block: list[list[str]], bad: dict[int, BadRow]) -> pl.DataFrame:
    """Return records as columns; `bad` gains those that are not UTF-8."""
    try:
        return _frame(names, block)
    except UnicodeEncodeError:
        pass
    for place, record in enumerate(block):
        if any(not _is_text(field) for field in record):
            bad[place] = BadRow("$", "expected text in UTF-8")
            block[place] = [""] * len(names)
    return _frame(names, block)


def _frame(names: list[str], block: list[list[str]]) -> pl.DataFrame:
    columns = zip(*block, strict=True) if block else [()] * len(names)
    return pl.DataFrame(
        [pl.Series(name, cells, dtype=pl.String) for name, cells in zip(names, columns, strict=True)]
    )


def _is_text(field: str) -> bool:
    try:
        field.encode()
    except UnicodeEncodeError:
        return False
    return True
