"""Components of identifiers found in DataFrames, where there are too many pairs for the driver."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812


def labels_of(pairs: DataFrame) -> DataFrame:
    """Return (a: code, label: the least code of its component) of all that pairs (a, b) join.

    Every round gives a code the least label around it, then the label of its label; a chain of n
    codes takes about log n rounds.
    """
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
            return new
        labels = new
