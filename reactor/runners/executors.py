"""What Spark's executors run: functions from batches of Arrow to batches of Arrow."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from inspect import signature
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np
import polars as pl
from pyspark import TaskContext
from pyspark.sql import types as T  # noqa: N812
from pyspark.sql.pandas.types import to_arrow_schema

from reactor.runners.seam import Job, Piece, Sorter, answers, packed, scan, unpacked

PLACE: Final = "reactor_place"  # of a row in its bucket's table
NUMBER: Final = "reactor_number"  # of an event over all inputs, which follow each other
_CHUNK: Final = 100_000  # rows that are sorted into buckets at once


def struct(**types: T.DataType) -> T.StructType:
    """Return a type of rows, of its columns' types."""
    return T.StructType([T.StructField(name, type_) for name, type_ in types.items()])


LONG, BYTES = T.LongType(), T.BinaryType()
LOOKS: Final = struct(part=LONG, place=LONG, rows=LONG, pairs=LONG, scan=BYTES, links=BYTES)
LINKS: Final = struct(a=LONG, b=LONG)
SORTED: Final = struct(key=LONG, bucket=LONG, place=LONG, numbers=BYTES, rows=BYTES)
PACKED: Final = struct(name=T.StringType(), bucket=LONG, rows=BYTES)

Batches: TypeAlias = Iterator[Any]


def looker(job: Job, place: int, order: str | None) -> Any:
    """Look at an input's events: times, identifiers, and which of them were seen together."""

    def look(batches: Batches) -> Batches:
        found = scan(job, place, (_frame(batch, order)[0] for batch in batches))
        links = packed(pl.DataFrame(found.links, schema=["a", "b"]))
        bare = pickle.dumps(msgspec.structs.replace(found, links=found.links[:0]))
        row = (_part(), place, found.rows, len(found.links), bare, links)
        yield from batches_of(pl.DataFrame([row], schema=list(LOOKS.names), orient="row"), LOOKS)

    return look


def sorter(shared: Any, place: int, order: str | None, starts: Mapping[int, int]) -> Any:
    """Sort an input's events into buckets."""

    def sort(batches: Batches) -> Batches:
        job, planned, keys = shared.value
        sorter = Sorter(job, planned)
        first = starts.get(_part(), 0)
        for frame, given in _chunks(batches, order):
            numbers = first + np.arange(frame.height, dtype=np.int64) if given is None else given
            first += frame.height
            rows = [
                {"key": keys[bucket], "bucket": bucket, **piece._asdict()}
                for bucket, piece in sorter.sort_in(place, frame, numbers)
            ]
            yield from batches_of(pl.DataFrame(rows, schema=list(SORTED.names)), SORTED)

    return sort


def replayer(shared: Any, tables: Mapping[str, Any]) -> Any:
    """Replay a bucket; it is the only one in its partition."""

    def run(batches: Batches) -> Batches:
        job, planned, _ = shared.value
        rows = [row for batch in batches for row in pl.DataFrame(batch).iter_rows()]
        if rows:
            bucket, pieces = rows[0][1], [Piece(*row[2:]) for row in rows]
            assert all(row[1] == bucket for row in rows)
            found = [
                (name, bucket, content) for name, content in answers(job, planned, bucket, pieces, tables)
            ]
            yield from batches_of(pl.DataFrame(found, schema=list(PACKED.names), orient="row"), PACKED)

    return run


def unpacker(schema: T.StructType) -> Any:
    """Unpack the frames of a table."""

    def unpack(batches: Batches) -> Batches:
        for batch in batches:
            for (content,) in pl.DataFrame(batch).iter_rows():
                frame = unpacked(content)
                if PLACE in schema.names:
                    frame = frame.with_row_index(PLACE)
                yield from batches_of(frame, schema)

    return unpack


def _frame(batch: Any, order: str | None) -> tuple[pl.DataFrame, Any]:
    """Return the columns of a batch, and the numbers of its events if a column holds them."""
    frame = pl.DataFrame(batch)
    if order is None:
        return frame, None
    return frame.drop(order), frame[order].cast(pl.Int64).to_numpy().copy()


def _chunks(batches: Batches, order: str | None) -> Iterator[tuple[pl.DataFrame, Any]]:
    """Yield batches, several as one, so that a bucket's pieces are not too small."""
    frames: list[tuple[pl.DataFrame, Any]] = []
    for batch in batches:
        frames.append(_frame(batch, order))
        if sum(frame.height for frame, _ in frames) >= _CHUNK:
            yield _joined(frames)
            frames = []
    if frames:
        yield _joined(frames)


def _joined(frames: list[tuple[pl.DataFrame, Any]]) -> tuple[pl.DataFrame, Any]:
    numbers = [numbers for _, numbers in frames]
    return pl.concat([frame for frame, _ in frames]), None if numbers[0] is None else np.concatenate(numbers)


def batches_of(frame: pl.DataFrame, schema: T.StructType) -> Batches:
    """Return a frame as batches of Arrow that Spark takes."""
    # Spark 4 wants to be told the zone of its timestamps, Spark 3.5 knows only this one.
    zone = {"timezone": "UTC"} if "timezone" in signature(to_arrow_schema).parameters else {}
    table = frame.select(schema.names).to_arrow()
    return iter(table.cast(to_arrow_schema(schema, **zone)).to_batches())


def _part() -> int:
    context = TaskContext.get()
    assert context is not None
    return int(context.partitionId())
