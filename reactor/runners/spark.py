"""`simulate` and `compare` on Spark: the rows of one machine, as DataFrames.

The extra is `reactor-engine[spark]`. The executors need the package too: an installed wheel, or
`spark.sparkContext.addPyFile`. Every table comes from one pass of replays, which is kept on the
executors' disks; a lost part of it is replayed again, with the same outcome.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np
import polars as pl
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812
from pyspark.storagelevel import StorageLevel

from reactor.errors import ReactorError
from reactor.frames import Source
from reactor.replay.differences import differences
from reactor.replay.history import Reject
from reactor.runners.executors import (
    BYTES,
    LINKS,
    LOOKS,
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
from reactor.runners.seam import (
    Scan,
    batch_of,
    gathered,
    job_of,
    nothing,
    packed,
    plan,
    rejects_of,
    summary_of,
    unpacked,
)
from reactor.spec import Config

PAIRS: Final = 10_000_000  # pairs of identifiers that the driver joins by itself
BUCKETS: Final = 64

Events: TypeAlias = DataFrame | Mapping[str, DataFrame]
ConfigLike: TypeAlias = str | os.PathLike[str] | Mapping[str, Any] | Config
_TYPES: Final[Mapping[Any, T.DataType]] = {
    pl.Int64: T.LongType(),
    pl.Float64: T.DoubleType(),
    pl.Boolean: T.BooleanType(),
    pl.String: T.StringType(),
    pl.List(pl.String): T.ArrayType(T.StringType()),
    pl.List(pl.Float64): T.ArrayType(T.DoubleType()),
    pl.Datetime("ms", "UTC"): T.TimestampType(),
}


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
    asked: table, audience, since, until, time, table_column and strict, as for `reactor.simulate`.
    Raises as that does; ReactorError for a config with `limits.profiles`.
    """
    return SparkRun(_Cluster(spark, [config], events, batch, order, buckets, pairs_on_driver, asked))


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
    return SparkComparison(_Cluster(spark, configs, events, batch, order, buckets, pairs_on_driver, asked))


class SparkRun:
    """What a replay on Spark gave: DataFrames with the columns of one machine, in no order.

    split: the report of how the history fell apart; after the first table also rows and seconds by
        bucket, in `by_bucket`.
    """

    def __init__(self, cluster: _Cluster, which: int = 0) -> None:
        self._cluster = cluster
        self._which = which

    @property
    def split(self) -> dict[str, Any]:
        """The report of the split."""
        return self._cluster.split

    @property
    def offers(self) -> DataFrame:
        """A row an offer."""
        return self._table("offers")

    @property
    def id_changes(self) -> DataFrame:
        """The rows about identity."""
        return self._table("id_changes")

    @property
    def attributes(self) -> DataFrame:
        """A row an event: every part just after it. Replays the history when first asked for."""
        return self._table("attributes", attributes=True)

    def profiles(self, at: object = None) -> DataFrame:
        """A row a profile, as of a time. Replays the history."""
        return self._table("profiles", profiles=True, at=at)

    def in_order(self, name: str, **tables: Any) -> DataFrame:
        """Return a table, `offers` or another, in the order of one machine."""
        key = "rid" if name == "profiles" else "event"
        frame = self._cluster.table(name, self._which, **tables)
        return frame.orderBy(key, PLACE).drop(PLACE)

    @property
    def rejects(self) -> list[Reject]:
        """The bad rows. Under `strict` the first ends with BadRowError."""
        return self._cluster.rejects(self._which)

    def summary(self) -> dict[str, Any]:
        """Return the counts, as on one machine."""
        return self._cluster.summary(self._which)

    def _table(self, name: str, **tables: Any) -> DataFrame:
        return self._cluster.table(name, self._which, **tables).drop(PLACE)


class SparkComparison:
    """What two configs offer differently, on Spark. a, b: the run of each."""

    def __init__(self, cluster: _Cluster) -> None:
        self.a, self.b = SparkRun(cluster, 0), SparkRun(cluster, 1)
        self._cluster = cluster

    @property
    def offers(self) -> DataFrame:
        """A row for each offer that differs, as `reactor.compare` has it."""
        return self._cluster.table("differences", 0).drop(PLACE)


class _Cluster:
    """A history on Spark, split; passes over it are kept."""

    def __init__(
        self, spark: SparkSession, configs: Sequence[ConfigLike], events: Events, batch: Any,
        order: str | None, buckets: int, pairs: int, asked: Mapping[str, Any],
    ) -> None:  # fmt: skip
        if isinstance(buckets, bool) or not isinstance(buckets, int) or buckets < 1:
            raise ReactorError("buckets: expected a number of buckets, got something else")
        inputs = list(events.items()) if isinstance(events, Mapping) else [(None, events)]
        self._spark = spark
        self._order = order
        self._inputs = [frame for _, frame in inputs]
        self._job = job_of(configs, [("events", table) for table, _ in inputs], **asked)
        rows = _collected(batch) if isinstance(batch, DataFrame) else batch
        self._batch = batch_of(self._job, rows)
        self._plan = plan(self._job, self._looked(pairs), self._batch, buckets)
        self.split: dict[str, Any] = dict(self._plan.split)
        self._passes: dict[str, DataFrame] = {}

    def _looked(self, pairs: int) -> Scan:
        """Look at all events; join their identifiers here, or in DataFrames where there are too many."""
        self._starts: list[dict[int, int]] = []
        scans, links, first = [], [], 0
        looks = [
            frame.mapInArrow(looker(self._job, place, self._order), LOOKS).persist(StorageLevel.DISK_ONLY)
            for place, frame in enumerate(self._inputs)
        ]
        count = sum(look.agg(F.sum("pairs")).first()[0] or 0 for look in looks)
        for look in looks:
            starts: dict[int, int] = {}
            for part, rows, content in look.orderBy("part").select("part", "rows", "scan").collect():
                starts[part], first = first, first + rows
                scans.append(pickle.loads(bytes(content)))
            self._starts.append(starts)
            links += [look.select("links").mapInArrow(unpacker(LINKS), LINKS)]
        whole = gathered(scans, len(self._job.configs))
        if count > pairs:
            found = propagated(links).to_numpy()
        else:
            found = pl.concat([_collected(each) for each in links]).to_numpy()
        for look in looks:
            look.unpersist()
        return msgspec.structs.replace(whole, links=np.unique(found.astype(np.int64), axis=0))

    def table(self, name: str, which: int, **tables: Any) -> DataFrame:
        """Return a table of a config's results, with the place of each row in its bucket."""
        empty = nothing(self._job, which, **tables)
        frame = differences(empty, empty, []) if name == "differences" else getattr(empty, name)
        fields = [T.StructField(column, _TYPES[dtype]) for column, dtype in frame.schema.items()]
        schema = T.StructType([*fields, T.StructField(PLACE, T.LongType())])
        found = self._passed(**tables).where(F.col("name") == f"{name} {which}")
        return found.select("rows").mapInArrow(unpacker(schema), schema)

    def rejects(self, which: int) -> list[Reject]:
        """Return the bad rows."""
        found = [unpacked(content) for content in self._parts(f"rejects {which}")]
        empty = pl.DataFrame(schema=dict.fromkeys(Reject._fields, pl.Int64))
        return rejects_of(self._job, self._batch, pl.concat(found) if found else empty, {})

    def summary(self, which: int) -> dict[str, Any]:
        """Return the summary."""
        columns = {name for frame in self._inputs for name in frame.columns if name != self._order}
        summaries = [msgspec.json.decode(content) for content in self._parts(f"summary {which}")]
        self.split["by_bucket"] = sorted(
            (msgspec.json.decode(content) for content in self._parts(f"split {which}")),
            key=lambda each: int(each["bucket"]),
        )
        rejects = self.rejects(which)
        every = [*summaries, nothing(self._job, which).summary]
        return summary_of(self._job, self._plan, self._batch, rejects, columns, every, which)

    def _parts(self, name: str) -> list[bytes]:
        rows = self._passed().where(F.col("name") == name).select("rows").collect()
        return [bytes(row[0]) for row in rows]

    def _passed(self, **tables: Any) -> DataFrame:
        """Return the packed results of a pass that makes these tables."""
        key = repr(sorted(tables.items()))
        if key not in self._passes:
            shared = self._spark.sparkContext.broadcast((self._job, self._plan))
            parts = [
                frame.mapInArrow(sorter(shared, place, self._order, starts), SORTED)
                for place, (frame, starts) in enumerate(zip(self._inputs, self._starts, strict=True))
            ]
            joined = parts[0]
            for other in parts[1:]:
                joined = joined.unionAll(other)
            # A number of partitions that is asked for is not changed by adaptive execution.
            sorted_in = joined.repartition(self._plan.buckets, "bucket").sortWithinPartitions("bucket")
            passed = sorted_in.mapInArrow(replayer(shared, tables), PACKED)
            self._passes[key] = passed.persist(StorageLevel.DISK_ONLY)
        return self._passes[key]


def _collected(frame: DataFrame) -> pl.DataFrame:
    """Return a small DataFrame in memory."""

    def pack(batches: Batches) -> Batches:
        frames = [pl.DataFrame(batch) for batch in batches]
        if frames:
            yield from batches_of(pl.DataFrame([{"rows": packed(pl.concat(frames))}]), struct(rows=BYTES))

    found = [unpacked(bytes(row[0])) for row in frame.mapInArrow(pack, struct(rows=BYTES)).collect()]
    none = pl.DataFrame(schema={field.name: pl.Int64 for field in frame.schema.fields})
    return pl.concat(found) if found else none


def propagated(links: Sequence[DataFrame]) -> pl.DataFrame:
    """Return (code, least code of its component) of all that links join, found in DataFrames.

    Every round gives a code the least label around it, then the label of its label; a chain of n
    codes takes about log n rounds.
    """
    pairs = links[0]
    for other in links[1:]:
        pairs = pairs.unionAll(other)
    both = pairs.unionAll(pairs.select(F.col("b").alias("a"), F.col("a").alias("b"))).distinct().persist()
    labels = both.groupBy("a").agg(F.least(F.col("a"), F.min("b")).alias("label")).localCheckpoint()
    while True:
        around = both.join(labels.select(F.col("a").alias("b"), "label"), "b").select("a", "label")
        least = labels.unionAll(around).groupBy("a").agg(F.min("label").alias("label"))
        jump = least.select(F.col("a").alias("label"), F.col("label").alias("next"))
        new = least.join(jump, "label", "left").select("a", F.coalesce("next", "label").alias("label"))
        new = new.localCheckpoint()
        old = labels.select("a", F.col("label").alias("old"))
        if new.join(old, "a").where("label <> old").isEmpty():
            both.unpersist()
            return _collected(new)
        labels = new
