"""Files, tables and mappings as rows of events.

CSV is text, and an empty field is absent. In parquet files and tables whole-number columns
named like stitching keys become text, dates and datetimes ISO 8601 text, NaN absent. JSON is
taken as sent.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias, Union

import msgspec

from reactor.errors import EventError, ReactorError
from reactor.frames.extra import need
from reactor.frames.files import form_of, read_bytes
from reactor.frames.pandas_rows import from_pandas
from reactor.frames.rows import FrameRows, JsonRows, MappingRows, Rows

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

# Arrow's C interface by stream or batch, the older interchange of frames, and polars' lazy frame.
_TABLE_METHODS: Final = ("__arrow_c_stream__", "__arrow_c_array__", "__dataframe__", "collect_schema")
_MARK: Final = b"\xef\xbb\xbf"  # the byte-order mark

Rowlike: TypeAlias = Mapping[str, object] | bytes
Source: TypeAlias = Union[
    str, os.PathLike[str], "pl.DataFrame", "pl.LazyFrame", "pd.DataFrame", Iterable[Rowlike]
]


def rows_of(source: Source, *, keys: Collection[str] = (), most_bytes: int = 1_000_000) -> Rows:
    """Return the rows of a file, a table, or an iterable of mappings or JSON texts in bytes.

    source: a path; a polars or pandas frame; anything that can be handed over as Arrow, such as a
        pyarrow table or reader, or a relation of DuckDB; or an iterable, which is read to its end.
    keys: names of stitching keys.
    most_bytes: the most a JSON text may have; a longer one is a bad row.
    Raises EventError, with the file's name as path, if a file can't be read as what its ending
    says, and if a stitching key's column holds floats.

    >>> rows = rows_of([{"CustomerID": "12346", "Quantity": 2}])
    >>> list(rows.take(range(len(rows))))
    [{'CustomerID': '12346', 'Quantity': 2}]
    """
    if isinstance(source, str | os.PathLike):
        return _read_file(source, keys, most_bytes)
    if type(source).__module__.partition(".")[0] == "pandas":
        return from_pandas(source, keys, "events")
    if is_table(source):
        need("polars", "reading a table")
        from reactor.frames.tables import plain_table

        return FrameRows(plain_table(source, keys, "events"), {})
    if isinstance(source, Mapping | bytes) or not isinstance(source, Iterable):
        got = type(source).__name__
        raise ReactorError(f"events: expected a path, a table or an iterable of mappings, got one {got}")
    return MappingRows(source if isinstance(source, list | tuple) else list(source), most_bytes)


def is_table(source: object) -> bool:
    """Tell whether a source is a table of its own kind: a frame, or what can be handed over as Arrow."""
    if type(source).__module__.partition(".")[0] == "pandas":
        return True
    return any(hasattr(source, name) for name in _TABLE_METHODS)


def _read_file(path: str | os.PathLike[str], keys: Collection[str], most_bytes: int) -> Rows:
    form = form_of(path)
    content = read_bytes(path, form.compression)
    if form.kind == "lines":
        return JsonRows(lines_of(content.removeprefix(_MARK)), most_bytes)
    if form.kind == "json":
        return JsonRows(_json_texts(content, str(path)), most_bytes)
    need("polars", f"{path}: reading {form.kind}")
    if form.kind == "csv":
        from reactor.frames.delimited import read_csv

        return read_csv(content, str(path))
    from reactor.frames.tables import read_parquet

    return FrameRows(read_parquet(content, str(path), keys), {})


def lines_of(text: bytes) -> list[bytes]:
    """Return the lines that are not blank."""
    return [line for line in text.split(b"\n") if line.strip()]


def _json_texts(text: bytes, path: str) -> Sequence[bytes | memoryview]:
    """Return the events of an array, one event over several lines, or an event a line."""
    text = text.removeprefix(_MARK)
    first = text.lstrip()[:1]
    try:
        if first == b"[":
            return [memoryview(event) for event in msgspec.json.decode(text, type=list[msgspec.Raw])]
        if first == b"{":
            return [memoryview(msgspec.json.decode(text, type=msgspec.Raw))]
    except msgspec.DecodeError:
        pass
    if first == b"{":
        return lines_of(text)
    raise EventError(path, "expected a JSON array of events, or an event a line; got neither")
