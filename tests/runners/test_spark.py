"""Spark gives the rows of one machine, for any number of buckets."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from replay.pieces import JOINING

from reactor import EventError, ReactorError

from .conftest import whole
from .same import (
    ALL,
    ASKED,
    BUCKETS,
    NUMBER,
    ROWS,
    TABLES,
    alone,
    history,
    is_that_of_one_machine,
    tangled,
    texts,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # pyspark's own, at every call


@pytest.fixture(scope="module")
def stored(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what makes a DataFrame of a frame, in three partitions and in no order."""
    folder = tmp_path_factory.mktemp("events")

    def store(name: str, frame: pl.DataFrame, shuffled: bool = True) -> Any:
        path = folder / f"{name}.parquet"
        frame.write_parquet(path)
        read = spark.read.parquet(str(path))
        return read.repartition(3) if shuffled else read

    return store


def back(frame: Any) -> pl.DataFrame:
    """Return a DataFrame in memory."""
    rows = [tuple(row) for row in frame.collect()]
    return pl.DataFrame(rows, schema=list(frame.columns), orient="row", infer_schema_length=None)


@pytest.mark.parametrize("buckets", BUCKETS if whole() else BUCKETS[1::2])
def test_every_table_is_that_of_one_machine(spark: Any, stored: Any, buckets: int) -> None:
    """Batch rows that join, made keys, late merges, bad rows, ties."""
    from reactor.runners.spark import simulate

    frame = history(buckets)
    events = stored(f"all-{buckets}", frame)
    run = simulate(spark, JOINING, events, batch=ROWS, order=NUMBER, buckets=buckets, **ASKED)
    expected = alone(frame)
    is_that_of_one_machine(run, expected)
    assert all(each["rows"] >= 0 for each in run.split["by_bucket"])
    if buckets == 2:
        for name in TABLES:
            found = back(run.in_order(name, **ALL))
            assert found.columns == getattr(expected, name).columns
            assert texts(found) == texts(getattr(expected, name)), name
        assert sorted(texts(back(run.offers))) == sorted(texts(expected.offers))


def test_tables_without_numbers(spark: Any, stored: Any) -> None:
    """Events are numbered table after table, as Spark reads them; times of any zone are read as such."""
    from reactor.replay import Options, Replay
    from reactor.runners.spark import simulate

    frame = history(4).drop(NUMBER, "table")
    at = (pl.col("time") * 1000).cast(pl.Datetime("ms", "UTC")).alias("time")
    ordered_at = (pl.col("ordered_at") * 1000).cast(pl.Datetime("us"))  # without a zone
    events = {
        "web.orders": frame.drop("time").with_columns(ordered_at),
        "web.views": frame.drop("ordered_at").filter(pl.col("time").is_not_null()).with_columns(at),
    }
    spark.conf.set("spark.sql.session.timeZone", "America/New_York")
    frames = {table: stored(table, each, False) for table, each in events.items()}
    run = simulate(spark, JOINING, frames, buckets=3, audience="private")
    expected = Replay(JOINING, events, Options(audience="private")).run(**ALL)
    assert expected.rejects.height > 5
    is_that_of_one_machine(run, expected, files=True)
    spark.conf.set("spark.sql.session.timeZone", "UTC")


def test_two_configs(spark: Any, stored: Any) -> None:
    """The same offers differ as on one machine, also where the second config joins by another key."""
    from reactor.replay import compare
    from reactor.runners.spark import compare as compare_on_spark

    frame = history(5)
    other = {**JOINING, "identity": {"keys": {"cookie": {}, "page": {}}, "lookup_key": "page"}}
    events = stored("two", frame)
    found = compare_on_spark(spark, JOINING, other, events, order=NUMBER, buckets=3, table_column="table")
    expected = compare(JOINING, other, frame.drop(NUMBER), table_column="table").offers
    assert sorted(texts(back(found.offers))) == sorted(texts(expected))


def test_everything_hangs_together(slow: None, spark: Any, stored: Any) -> None:
    """A kiosk and a chain of 4,000 events each: merges without end, evictions, and one bucket for each."""
    from reactor.runners.spark import simulate

    frame = tangled()
    asked = {"table": "web.views"}
    run = simulate(spark, JOINING, stored("tangled", frame), order=NUMBER, buckets=7, **asked)
    expected = alone(frame, None, **asked)
    assert run.split["largest"] == [4_000, 4_000, *[2] * 8]
    assert run.split["warnings"] == []  # so few are replayed at once
    is_that_of_one_machine(run, expected)
    assert max(each["rows"] for each in run.split["by_bucket"]) >= 4_000


def test_components_in_dataframes(slow: None, spark: Any) -> None:
    """Chains, a kiosk and pairs, joined by labels: what the driver would have found."""
    from reactor.replay.components import components
    from reactor.runners.labels import labels_of

    random = np.random.default_rng(3)
    codes = random.permutation(30) + 1
    links = np.concatenate(
        [
            np.stack([codes[:-1], codes[1:]], axis=1),
            np.stack([np.arange(100, 140), np.full(40, 140)], axis=1),
            np.array([[200, 201], [202, 203], [203, 200]]),
        ]
    )
    frame = spark.createDataFrame([tuple(map(int, pair)) for pair in links], "a long, b long")
    groups: dict[int, set[int]] = {}
    for code, label in labels_of(frame).collect():
        groups.setdefault(label, set()).add(code)
    expected: dict[int, set[int]] = {}
    for component, pair in zip(components(links).tolist(), links.tolist(), strict=True):
        expected.setdefault(component, set()).update(pair)
    assert sorted(map(sorted, groups.values())) == sorted(map(sorted, expected.values()))


def test_what_cannot_be_is_refused_at_once(spark: Any, stored: Any) -> None:
    """With the reason, before any event is read."""
    from reactor.runners.spark import simulate

    frame = history(1)
    config = {**JOINING, "limits": {"profiles": 3}}
    with pytest.raises(ReactorError, match=r"runner: expected a config without limits\.profiles"):
        simulate(spark, config, stored("refused", frame), table_column="table")
    with pytest.raises(ReactorError, match="buckets: expected a number"):
        simulate(spark, JOINING, stored("refused", frame), buckets=0, table_column="table")
    with pytest.raises(EventError, match='events: expected a column "kind", got none'):
        simulate(spark, JOINING, stored("refused", frame), table_column="kind")
    with pytest.raises(EventError, match="cookie: expected text or whole numbers in events"):
        simulate(spark, JOINING, stored("floats", frame.with_columns(cookie=0.5)), table_column="table")


def test_strict(spark: Any, stored: Any) -> None:
    """The first bad row ends the run."""
    from reactor.replay.options import BadRowError
    from reactor.runners.spark import simulate

    run = simulate(
        spark, JOINING, stored("strict", history(1)), order=NUMBER, buckets=2, strict=True, **ASKED
    )
    with pytest.raises(BadRowError, match="events, event 3: "):
        run.summary()
