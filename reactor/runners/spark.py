"""`simulate` and `compare` on Spark: the rows of one machine, as DataFrames.

The extra is `reactor-engine[spark]`. The executors need the package too: an installed wheel, or
`spark.sparkContext.addPyFile`. Every table comes from a pass of replays, which is kept on the
executors' disks; a lost part of it is replayed again, with the same outcome.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
import numpy as np
import polars as pl
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812
from pyspark.storagelevel import StorageLevel

from reactor.frames import Source
from reactor.replay.batch import Batch
from reactor.runners.executors import (
    BYTES,
    LINKS,
    LOOKS,
    NUMBER,
    PACKED,
    PLACE,
    SORTED,
    Batches,
    batches_of,
    looker,
    replayer,
    sorter,
    struct,
    unpacker,
)
from reactor.runners.labels import labels_of
from reactor.runners.outcome import Outcome, SplitRun
from reactor.runners.seam import (
    Job,
    Plan,
    Scan,
    batch_of,
    check_buckets,
    check_columns,
    gathered,
    job_of,
    packed,
    plan,
    unpacked,
)
from reactor.spec import Config

PAIRS: Final = 10_000_000  # pairs of identifiers that the driver joins by itself
BUCKETS: Final = 64

Events: TypeAlias = "DataFrame | Mapping[str, DataFrame] | Sequence[Named]"
ConfigLike: TypeAlias = str | os.PathLike[str] | Mapping[str, Any] | Config
_FLOATS: Final = (T.FloatType, T.DoubleType)
_TYPES: Final[Mapping[Any, T.DataType]] = {
    pl.Int64: T.LongType(),
    pl.Float64: T.DoubleType(),
    pl.Boolean: T.BooleanType(),
    pl.String: T.StringType(),
    pl.List(pl.String): T.ArrayType(T.StringType()),
    pl.List(pl.Float64): T.ArrayType(T.DoubleType()),
    pl.Datetime("ms", "UTC"): T.TimestampType(),
}


class Named(NamedTuple):
    """A DataFrame of events, with the name it has in reports and its table; None where a column says it."""

    name: str
    table: str | None
    frame: DataFrame


def simulate(
    spark: SparkSession,
    config: ConfigLike,
    events: Events,
    *,
    batch: Source | DataFrame | None = None,
    order: str | None = None,
    buckets: int = BUCKETS,
    pairs_on_driver: int = PAIRS,
    **asked: Any,
) -> SparkRun:
    """Replay a history on Spark; return what was offered, as DataFrames.

    events: a DataFrame, or table → DataFrame. order: the column with each event's number over all of
        them, which orders events of one time; without it they are numbered as Spark reads them.
    batch: rows as for `reactor.simulate`, or a DataFrame; they are sent to every executor.
    buckets: how many parts are replayed apart. pairs_on_driver: joined there; beyond, in DataFrames.
    asked: table, audience, since, until, time, table_column, strict and engine, as for `reactor.simulate`.
    Raises as that does; ReactorError for a config with `limits.profiles`.
    """
    return SparkRun(split(spark, [config], events, batch, order, buckets, pairs_on_driver, **asked))


def compare(
    spark: SparkSession,
    config_a: ConfigLike,
    config_b: ConfigLike,
    events: Events,
    *,
    batch: Source | DataFrame | None = None,
    order: str | None = None,
    buckets: int = BUCKETS,
    pairs_on_driver: int = PAIRS,
    **asked: Any,
) -> SparkComparison:
    """Replay a history against two configs on Spark; return the offers that differ. As `simulate`."""
    configs = [config_a, config_b]
    return SparkComparison(split(spark, configs, events, batch, order, buckets, pairs_on_driver, **asked))


class SparkRun(SplitRun[DataFrame]):
    """What a replay on Spark gave: DataFrames with the columns of one machine, in no order."""

    _outcome: SparkOutcome

    def in_order(self, name: str, **tables: Any) -> DataFrame:
        """Return a table, `offers` or another, in the order of one machine."""
        key = "rid" if name == "profiles" else "event"
        frame = self._outcome.placed(name, self._which, **tables)
        return frame.orderBy(key, PLACE).drop(PLACE)


class SparkComparison:
    """What two configs offer differently, on Spark. a, b: the run of each."""

    def __init__(self, outcome: SparkOutcome) -> None:
        self.a, self.b = SparkRun(outcome, 0), SparkRun(outcome, 1)
        self._outcome = outcome

    @property
    def offers(self) -> DataFrame:
        """A row for each offer that differs, as `reactor.compare` has it."""
        return self._outcome.given("differences")


def split(
    spark: SparkSession, configs: Sequence[ConfigLike], events: Events, batch: Any = None,
    order: str | None = None, buckets: int = BUCKETS, pairs: int = PAIRS, **asked: Any,
) -> SparkOutcome:  # fmt: skip
    """Look at a history on Spark and split it into buckets. See `simulate`."""
    check_buckets(buckets)
    inputs = _named(events)
    job = job_of(configs, [(each.name, each.table) for each in inputs], **asked)
    for place, each in enumerate(inputs):
        floats = {field.name for field in each.frame.schema.fields if isinstance(field.dataType, _FLOATS)}
        check_columns(job, place, {name: name in floats for name in each.frame.columns if name != order})
    own = batch_of(job, _collected(batch) if isinstance(batch, DataFrame) else batch)
    whole, parts, starts = _looked(job, [each.frame for each in inputs], order, pairs)
    planned = plan(job, whole, own, buckets)
    return SparkOutcome(
        spark, inputs, order, parts, job, planned, own, starts if order in (None, NUMBER) else [0]
    )


def _named(events: Events) -> list[Named]:
    if isinstance(events, Mapping):
        return [Named("events", table, frame) for table, frame in events.items()]
    return [Named("events", None, events)] if isinstance(events, DataFrame) else list(events)


def _looked(
    job: Job, frames: Sequence[DataFrame], order: str | None, pairs: int
) -> tuple[Scan, dict[int, int], list[int]]:
    """Look at all events; join identifiers here, or in DataFrames where there are too many pairs.

    Returns also the number of the first event of each partition of all frames, and of each frame.
    """
    looks = _union([frame.mapInArrow(looker(job, place, order), LOOKS) for place, frame in enumerate(frames)])
    looks = looks.persist(StorageLevel.DISK_ONLY)
    scans, parts, starts, first, count = [], dict[int, int](), [0] * len(frames), 0, 0
    for part, place, rows, some, content in looks.orderBy("part").drop("links").collect():
        parts[part], first, count = first, first + rows, count + some
        starts[place + 1 :] = [first] * (len(frames) - place - 1)
        scans.append(pickle.loads(bytes(content)))
    links = looks.select("links").mapInArrow(unpacker(LINKS), LINKS)
    found = _collected(labels_of(links) if count > pairs else links).to_numpy()
    looks.unpersist()
    whole = gathered(scans, len(job.configs))
    return msgspec.structs.replace(whole, links=np.unique(found.astype(np.int64), axis=0)), parts, starts


class SparkOutcome(Outcome[DataFrame, DataFrame]):
    """A history that was split, on Spark; a pass is a DataFrame of packed tables."""

    def __init__(
        self, spark: SparkSession, inputs: Sequence[Named], order: str | None, starts: Mapping[int, int],
        job: Job, planned: Plan, batch: Batch | None, frame_starts: Sequence[int],
    ) -> None:  # fmt: skip
        self._spark = spark
        self._order = order
        self._frames = [each.frame for each in inputs]
        self._part_starts = starts
        super().__init__(job, planned, batch, frame_starts)

    def make(self, tables: Mapping[str, Any]) -> DataFrame:
        """Replay every bucket, and keep what that gives on the executors' disks."""
        shared = self._spark.sparkContext.broadcast((self.job, self.planned, self._keys()))
        parts = [
            frame.mapInArrow(sorter(shared, place, self._order, self._part_starts), SORTED)
            for place, frame in enumerate(self._frames)
        ]
        # A number of partitions that is asked for is not changed by adaptive execution.
        sorted_in = _union(parts).repartition(self.planned.buckets, "key").sortWithinPartitions("bucket")
        return sorted_in.mapInArrow(replayer(shared, tables), PACKED).persist(StorageLevel.DISK_ONLY)

    def contents(self, made: DataFrame, name: str, *, at_once: bool = True) -> Iterable[bytes]:
        """Yield what a pass gave under a name: each bucket is a partition, in order."""
        rows = made.where(F.col("name") == name).select("rows")
        yield from (bytes(row[0]) for row in (rows.collect() if at_once else rows.toLocalIterator()))

    def given(self, name: str, which: int = 0, **tables: Any) -> DataFrame:
        """Return a table of a config's results."""
        return self.placed(name, which, **tables).drop(PLACE)

    def placed(self, name: str, which: int = 0, **tables: Any) -> DataFrame:
        """Return a table of a config's results, with the place of each row in its bucket."""
        empty = self.empty(name, which, **tables)
        fields = [T.StructField(column, _TYPES[dtype]) for column, dtype in empty.schema.items()]
        schema = T.StructType([*fields, T.StructField(PLACE, T.LongType())])
        found = self.made(**tables).where(F.col("name") == f"{name} {which}")
        return found.select("rows").mapInArrow(unpacker(schema), schema)

    def _keys(self) -> list[int]:
        """Return a number for each bucket that Spark's hash puts into a partition of its own."""
        count, keys = self.planned.buckets, dict[int, int]()
        least = 0
        while len(keys) < count:
            some = self._spark.range(least, least + 16 * count, numPartitions=1)
            place = F.pmod(F.hash("id"), F.lit(count)).alias("place")
            keys = {**dict(some.groupBy(place).agg(F.min("id")).collect()), **keys}
            least += 16 * count
        return [keys[bucket] for bucket in range(count)]


def _union(frames: Sequence[DataFrame]) -> DataFrame:
    joined = frames[0]
    for other in frames[1:]:
        joined = joined.unionAll(other)
    return joined


def _collected(frame: DataFrame) -> pl.DataFrame:
    """Return a small DataFrame in memory."""

    def pack(batches: Batches) -> Batches:
        frames = [pl.DataFrame(batch) for batch in batches]
        if frames:
            yield from batches_of(pl.DataFrame([{"rows": packed(pl.concat(frames))}]), struct(rows=BYTES))

    found = [unpacked(bytes(row[0])) for row in frame.mapInArrow(pack, struct(rows=BYTES)).collect()]
    none = pl.DataFrame(schema={field.name: pl.Int64 for field in frame.schema.fields})
    return pl.concat(found) if found else none
