"""Files read in pieces hold the rows that they hold when they are read whole."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor import EventError
from reactor.frames import Row, rows_of
from reactor.frames.pieces import PieceSize, pieces_of

# What a reader may stumble upon, at the border of two blocks too.
JUNK = st.sampled_from([b"a", b"1,2", b",", b'"', b'""', b"\n", b"\r\n", b"\r", b"\xff", "é".encode(), b" "])
SIZES = st.builds(PieceSize, st.sampled_from([1, 2, 1000]), st.integers(1, 40))


def in_pieces(path: Path, size: PieceSize, keys: tuple[str, ...] = ()) -> list[Row]:
    """Return all rows of a file, read in pieces."""
    pieces = pieces_of(str(path), size, keys=keys, most_bytes=1000)
    found: list[Row] = []
    for rows in pieces.read():
        assert 0 < len(rows) <= size.rows
        found += rows.take(range(len(rows)))
    return found


def at_once(path: Path, keys: tuple[str, ...] = ()) -> list[Row]:
    """Return all rows of a file, read whole."""
    rows = rows_of(str(path), keys=keys, most_bytes=1000)
    return list(rows.take(range(len(rows))))


def alike(name: str, content: bytes, size: PieceSize) -> None:
    """Assert that a file is read, or refused, in one way."""
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        outcomes: list[Any] = []
        for read in (lambda: at_once(path), lambda: in_pieces(path, size)):
            try:
                outcomes.append(read())
            except EventError as error:
                outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]


@given(st.lists(JUNK).map(b"".join), SIZES, st.sampled_from([b"x,y\n", b"x\n", b"\xef\xbb\xbfx,y\r\n", b""]))
@settings(max_examples=300)
def test_csv(content: bytes, size: PieceSize, header: bytes) -> None:
    """Whatever is in it. Would catch a cut inside quotes, and a bad row that spoils its neighbours."""
    alike("a.csv", header + content, size)


@given(st.lists(JUNK | st.just(b'{"a": 1}')).map(b"".join), SIZES, st.sampled_from([b"\xef\xbb\xbf", b""]))
@settings(max_examples=100)
def test_lines(content: bytes, size: PieceSize, mark: bytes) -> None:
    """Bad lines are bad, blank ones none."""
    alike("a.jsonl", mark + content, size)


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_parquet(tmp_path: Path, rows: int) -> None:
    """Values as the types of their columns say, in the columns that are asked for."""
    path = tmp_path / "a.parquet"
    frame = pl.DataFrame({"id": range(25), "at": [None, 1.5, float("nan"), 2.0, 3.0] * 5, "page": ["x"] * 25})
    frame.write_parquet(path, row_group_size=10)
    assert in_pieces(path, PieceSize(rows, 100), ("id",)) == at_once(path, ("id",))
    pieces = pieces_of(str(path), PieceSize(rows, 10_000), keys=(), most_bytes=9)
    assert {rows.columns for rows in pieces.read({"page", "other"})} == {("page",)}


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "a.json", "a.csv.gz", "a.xls"])
def test_what_is_refused_is_refused_alike(tmp_path: Path, name: str) -> None:
    """A file that is missing, and one that is not what its name says."""
    path = tmp_path / name
    for content in (None, b"\x00"):
        if content is not None:
            path.write_bytes(content)
        outcomes = []
        for read in (lambda: at_once(path), lambda: in_pieces(path, PieceSize(5, 50))):
            try:
                outcomes.append(str(read()))
            except EventError as error:
                assert error.__context__ is None
                outcomes.append(str(error))
        assert outcomes[0] == outcomes[1]
