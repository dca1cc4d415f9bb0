"""CSV as RFC 4180 has it: every column text, an empty field absent, a malformed row a bad row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Final

import polars as pl
from polars.exceptions import PolarsError

from reactor.errors import EventError
from reactor.frames.rows import BadRow, FrameRows
from reactor.frames.wellformed import is_wellformed

_BLOCK: Final = 50_000


def read_csv(content: bytes, path: str) -> FrameRows:
    """Read CSV in UTF-8, with a header; a byte-order mark and blank lines are skipped.

    path: names the file in errors.
    A row with another number of fields than the header, with malformed quotes or with bytes that are
    not UTF-8 is a bad row. Raises EventError if the header can't be used.
    """
    content = content.removeprefix(b"\xef\xbb\xbf")
    records = _records(_reader(content))
    names = _header(next(records, None), path)
    frame = _read_fast(content, names)
    if frame is not None:
        return FrameRows(_without_empty(frame), {})
    return _read_slow(records, names)


def _read_fast(content: bytes, names: list[str]) -> pl.DataFrame | None:
    """Return the rows if all of them are well-formed, else None."""
    if not is_wellformed(content, len(names)):
        return None
    try:
        frame = pl.read_csv(content, infer_schema=False)
    except PolarsError:
        return None
    return frame if frame.columns == names else None


def _read_slow(records: Iterator[list[str] | BadRow], names: list[str]) -> FrameRows:
    """Return the rows one by one, and what is wrong with the bad ones."""
    bad: dict[int, BadRow] = {}
    frames = [_frame(names, [])]
    block: list[list[str]] = []
    count = 0
    for record in records:
        if isinstance(record, BadRow) or len(record) != len(names):
            bad[count] = record if isinstance(record, BadRow) else _odd_length(names, record)
            record = [""] * len(names)
        block.append(record)
        count += 1
        if len(block) == _BLOCK:
            frames.append(_block_frame(names, block, count - len(block), bad))
            block = []
    frames.append(_block_frame(names, block, count - len(block), bad))
    return FrameRows(_without_empty(pl.concat(frames)), bad)


def _without_empty(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.when(pl.all() != "").then(pl.all()))


def _reader(content: bytes) -> Iterator[list[str]]:
    # Bytes that are not UTF-8 become lone surrogates, so that they spoil their own row only.
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", errors="surrogateescape", newline="")
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


def _block_frame(
    names: list[str], block: list[list[str]], start: int, bad: dict[int, BadRow]
) -> pl.DataFrame:
    """Return the rows as columns; `bad` gains those that are not UTF-8."""
    try:
        return _frame(names, block)
    except UnicodeEncodeError:
        pass
    for place, record in enumerate(block):
        if any(not _is_text(field) for field in record):
            bad[start + place] = BadRow("$", "expected text in UTF-8")
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
