"""Tables of results as files: csv, JSON lines, JSON or parquet, in one step."""

from __future__ import annotations

import os
from io import IOBase
from typing import BinaryIO, Final, cast

import msgspec
import polars as pl
from polars import selectors

from reactor.frames.files import Kind, compressing, form_of, replacing

_TIME: Final = "%Y-%m-%dT%H:%M:%S%.3fZ"


def write_frame(frame: pl.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a frame as the ending says; the file appears, or replaces the old one, when it is whole.

    Raises EventError for an unknown ending or a place that can't be written to.
    """
    form = form_of(path)
    with replacing(path) as raw, compressing(raw, path, form.compression) as stream:
        encode(frame, form.kind, stream)


def encode(frame: pl.DataFrame, kind: Kind, stream: BinaryIO) -> None:
    """Write a frame to a stream of bytes.

    Times are ISO 8601 text in csv and JSON, lists JSON texts in csv; nulls are empty fields in csv.
    """
    if kind == "parquet":
        frame.write_parquet(stream)
    elif kind == "csv":
        iso_texts(_lists_as_text(frame)).write_csv(stream)
    elif kind == "lines":
        iso_texts(frame).write_ndjson(stream)
    else:
        iso_texts(frame).write_json(cast(IOBase, stream))


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
