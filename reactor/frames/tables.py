"""Typed tables made plain: what a column's type becomes before it is an event's.

| type | becomes |
| --- | --- |
| whole numbers, in a column named like a stitching key | text: `12346` |
| floats and decimals with a fraction, in such a column | an error: the text they were is not known |
| date, datetime | ISO 8601 text; with a zone in UTC, with `Z`, else without an offset |
| decimal | a double |
| categories | text |
| NaN | absent |
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

import polars as pl
from polars.exceptions import PanicException, PolarsError

from reactor.errors import EventError
from reactor.frames.extra import need
from reactor.frames.rows import key_error


def plain_table(table: object, keys: Collection[str], where: str) -> pl.DataFrame:
    """Return a table made plain.

    table: a polars frame, lazy or not, or anything that can be handed over as Arrow.
    where: names it in errors.

    >>> plain_table(pl.DataFrame({"id": [12346], "paid": [float("nan")]}), {"id"}, "events").rows()
    [('12346', None)]
    """
    if isinstance(table, pl.LazyFrame):
        table = table.collect()
    frame = table if isinstance(table, pl.DataFrame) else _from_arrow(table, where)
    return frame.with_columns(
        plain
        for name, dtype in frame.schema.items()
        if (plain := _plain_column(name, dtype, name in keys, where)) is not None
    )


def _from_arrow(table: Any, where: str) -> pl.DataFrame:
    """Return what is handed over as Arrow as a frame; of the older interchange, by way of pyarrow."""
    if not hasattr(table, "__arrow_c_stream__") and not hasattr(table, "__arrow_c_array__"):
        library = need("pyarrow.interchange", f"{where}: a table that only knows `__dataframe__`", "pyarrow")
        table = library.from_dataframe(table)
    try:
        frame = pl.DataFrame(cast(Any, table))
    except PolarsError:
        frame = None
    if frame is None:
        raise EventError(where, "expected a table whose columns have different names, got something else")
    return frame


def read_parquet(content: bytes, path: str, keys: Collection[str]) -> pl.DataFrame:
    """Return the table in the bytes of a parquet file, made plain. Raises EventError if it is none."""
    try:
        frame = pl.read_parquet(content)
    except (PolarsError, PanicException, ValueError):
        frame = None
    if frame is None:
        raise parquet_error(path)
    return plain_table(frame, keys, path)


def parquet_error(path: str) -> EventError:
    """Return the error for a file that is no parquet file."""
    return EventError(path, "expected a parquet file, got something else or a part of one")


def _plain_column(name: str, dtype: pl.DataType, is_key: bool, where: str) -> pl.Expr | None:
    """Return the expression that makes a column plain, or None if it is."""
    column = pl.col(name)
    if is_key and dtype.is_numeric():
        return _key_column(name, dtype, where)
    if dtype.is_float():
        return column.fill_nan(None)
    if dtype.is_decimal():
        return column.cast(pl.Float64)
    if dtype == pl.Date:
        return column.dt.to_string("%Y-%m-%d")
    if dtype == pl.Datetime:
        zoned = getattr(dtype, "time_zone", None) is not None
        utc = column.dt.convert_time_zone("UTC") if zoned else column
        return utc.dt.to_string("%Y-%m-%dT%H:%M:%S%.f" + ("Z" if zoned else ""))
    if dtype in (pl.Categorical, pl.Enum):
        return column.cast(pl.String)
    return None


def _key_column(name: str, dtype: pl.DataType, where: str) -> pl.Expr:
    if dtype.is_integer():
        return pl.col(name).cast(pl.String)
    if isinstance(dtype, pl.Decimal) and not dtype.scale:
        return pl.col(name).cast(pl.Int128).cast(pl.String)
    raise key_error(name, str(dtype).lower(), where)
