"""Tables of results as files: csv, JSON lines, JSON or parquet, in one step."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final

import msgspec
import polars as pl
from polars import selectors

from reactor.frames.files import Kind, compressing, form_of, replacing

_BLOCK: Final = 100_000
_TIME: Final = "%Y-%m-%dT%H:%M:%S%.3fZ"


def write_frame(frame: pl.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a frame as the ending says; the file appears, or replaces the old one, when it is whole.

    Raises EventError for an unknown ending or a place that can't be written to.
    """
    write_frames([frame], path)


def write_frames(frames: Iterable[pl.DataFrame], path: str | os.PathLike[str]) -> None:
    """Write frames of the same columns, at least one, as the one table they make: the same bytes.

    Parquet waits for its end in a temporary folder; of the rest one block is held at a time.
    """
    form = form_of(path)
    with replacing(path) as raw, compressing(raw, path, form.compression) as stream:
        encode(frames, form.kind, stream)


def encode(frames: Iterable[pl.DataFrame], kind: Kind, stream: BinaryIO) -> None:
    """Write frames to a stream of bytes, as one table.

    Times are ISO 8601 text in csv and JSON, lists JSON texts in csv; nulls are empty fields in csv.
    """
    if kind == "parquet":
        _write_parquet(frames, stream)
        return
    is_first = True
    for frame in _blocks(frames):
        if kind == "csv":
            iso_texts(_lists_as_text(frame)).write_csv(stream, include_header=is_first)
        elif kind == "lines":
            iso_texts(frame).write_ndjson(stream)
        else:
            rows = iso_texts(frame).write_json()[1:-1]
            stream.write((("[" if is_first else ",") + rows).encode())
        is_first = False
    if kind == "json":
        stream.write(b"]")


def _write_parquet(frames: Iterable[pl.DataFrame], stream: BinaryIO) -> None:
    # How pages are cut depends on how a frame lies in memory. What was read back from blocks of one
    # size lies in one way, so that the bytes depend on the rows alone.
    with TemporaryDirectory(prefix="reactor-") as folder:
        paths: list[Path] = []
        for frame in _blocks(frames):
            paths.append(Path(folder, f"{len(paths):06}.ipc"))
            frame.write_ipc(paths[-1], compat_level=pl.CompatLevel.oldest(), record_batch_size=_BLOCK)
        pl.scan_ipc(paths).sink_parquet(stream, row_group_size=_BLOCK)


def _blocks(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Yield the rows of all frames in blocks of one size; at least one block, for its columns."""
    waiting: list[pl.DataFrame] = []
    height = 0
    is_first = True
    for frame in frames:
        waiting.append(frame)
        height += frame.height
        while height > _BLOCK:
            joined = pl.concat(waiting)
            yield joined.head(_BLOCK)
            waiting = [joined.slice(_BLOCK)]
            height -= _BLOCK
            is_first = False
    if height or is_first:
        yield pl.concat(waiting)


def iso_texts(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with times as text: `2017-03-01T10:00:00.500Z`."""
    return frame.with_columns(selectors.datetime().dt.to_string(_TIME))


def _lists_as_text(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        pl.Series(
            name,
            [None if row is None else msgspec.json.encode(row).decode() for row in frame[name].to_list()],
            dtype=pl.String,
        )
        for name, dtype in frame.schema.items()
        if dtype == pl.List
    )
