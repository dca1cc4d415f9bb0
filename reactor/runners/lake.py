"""Parquet in a lake, as events on Spark: numbered as one machine numbers the files.

A path is a file or a folder, with any scheme that Spark reads. A folder's files follow each other
by name, the rows of a file as they stand in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from reactor.errors import EventError
from reactor.runners.executors import NUMBER
from reactor.runners.spark import Named

__all__ = ["NUMBER", "events", "exists"]

_FILE: Final = "reactor_file"
_START: Final = "reactor_start"


def events(spark: SparkSession, paths: Sequence[tuple[str, str | None]]) -> list[Named]:
    """Return parquet as events, with their numbers over all paths in the column `reactor_number`.

    paths: each with its table, or None where a column names it.
    Raises EventError for a path that holds no parquet.
    Cost: reads the files' footers.
    """
    found: list[Named] = []
    first = 0
    for path, table in paths:
        frame = _read(spark, path)
        counted = frame.groupBy(F.col("_metadata.file_path")).count().orderBy("file_path").collect()
        starts = list(accumulate((rows for _, rows in counted), initial=first))
        files = [(file, start) for (file, _), start in zip(counted, starts, strict=False)]
        # A join, for a lake may have more files than an expression has room for.
        firsts = spark.createDataFrame(files, f"{_FILE} string, {_START} long")
        placed = frame.select(
            "*", F.col("_metadata.file_path").alias(_FILE), F.col("_metadata.row_index").alias(NUMBER)
        )
        joined = placed.join(F.broadcast(firsts), _FILE)
        numbered = joined.withColumn(NUMBER, F.col(NUMBER) + F.col(_START)).drop(_FILE, _START)
        found.append(Named(path, table, numbered))
        first = starts[-1]
    return found


def exists(spark: SparkSession, path: str) -> bool:
    """Tell whether there is a file or folder, wherever Spark finds paths of that scheme."""
    jvm: Any = spark.sparkContext._jvm
    place = jvm.org.apache.hadoop.fs.Path(path)
    return bool(place.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()).exists(place))


def _read(spark: SparkSession, path: str) -> DataFrame:
    try:
        return spark.read.parquet(path)
    except AnalysisException:
        reason = "expected parquet, a file or a folder, got something else or nothing"
    raise EventError(path, reason)
