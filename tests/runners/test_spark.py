"""Spark gives the rows of one machine, for any number of buckets."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from replay.pieces import JOINING

from reactor import ReactorError

from .same import BUCKETS, NUMBER, ROWS, alone, history, texts

pytest.importorskip("pyspark", reason='NOT RUN: pip install "reactor-engine[spark]"')
if shutil.which("java") is None:
    pytest.skip("NOT RUN: Spark needs Java 17", allow_module_level=True)
pytestmark = pytest.mark.filterwarnings("ignore")  # pyspark's own, at every call


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """Two workers in this process; a task may fail three times."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    path = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), path])
    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
    }
    builder = SparkSession.builder.master(os.environ.get("SPARK_MASTER", "local[2,4]"))
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture(scope="module")
def stored(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what makes a DataFrame of a frame, in three partitions and in no order."""
    folder = tmp_path_factory.mktemp("events")

    def store(name: str, frame: pl.DataFrame) -> Any:
        path = folder / f"{name}.parquet"
        frame.write_parquet(path)
        return spark.read.parquet(str(path)).repartition(3)

    return store


def back(frame: Any) -> pl.DataFrame:
    """Return a DataFrame in memory."""
    rows = frame.collect()
    return pl.DataFrame(
        [tuple(row) for row in rows], schema=list(frame.columns), orient="row", infer_schema_length=None
    )


@pytest.mark.parametrize("buckets", BUCKETS)
def test_every_table_is_that_of_one_machine(spark: Any, stored: Any, buckets: int) -> None:
    """Offers, attributes, identity log, profiles, bad rows, summary; batch rows that join, made keys."""
    from reactor.runners.spark import simulate

    frame = history(buckets)
    asked = {"table_column": "table", "audience": "private"}
    run = simulate(
        spark, JOINING, stored(f"all-{buckets}", frame), batch=ROWS, order=NUMBER, buckets=buckets, **asked
    )
    expected = alone(frame, attributes=True, profiles=True)
    tables = {"offers": {}, "id_changes": {}}
    if buckets == 2:
        tables |= {"attributes": {"attributes": True}, "profiles": {"profiles": True}}
    for name, more in tables.items():
        found = back(run.in_order(name, **more))
        one = getattr(expected, name)
        assert found.columns == one.columns
        assert texts(found) == texts(one), name
    summary = run.summary()
    assert {**summary, "warnings": [], "rejects": []} == {**expected.summary, "warnings": [], "rejects": []}
    assert [(each.event, each.path) for each in run.rejects] == expected.rejects["event", "path"].rows()
    assert sum(each["rows"] for each in run.split["by_bucket"]) == frame.height


def test_two_configs(spark: Any, stored: Any) -> None:
    """The same offers differ as on one machine, also where the second config joins by another key."""
    from reactor.replay import compare
    from reactor.runners.spark import compare as compare_on_spark

    frame = history(5)
    other = {**JOINING, "identity": {"keys": {"cookie": {}, "page": {}}, "lookup_key": "page"}}
    found = compare_on_spark(
        spark, JOINING, other, stored("two", frame), order=NUMBER, buckets=3, table_column="table"
    )
    expected = compare(JOINING, other, frame.drop(NUMBER), table_column="table").offers
    assert sorted(texts(back(found.offers))) == sorted(texts(expected))


def test_components_in_dataframes(spark: Any) -> None:
    """Chains, a kiosk and pairs, joined by labels: what the driver would have found."""
    from reactor.replay.components import components
    from reactor.runners.spark import propagated

    random = np.random.default_rng(3)
    codes = random.permutation(60) + 1
    links = np.concatenate(
        [
            np.stack([codes[:-1], codes[1:]], axis=1),
            np.stack([np.arange(100, 140), np.full(40, 140)], axis=1),
            np.array([[200, 201], [202, 203], [203, 200]]),
        ]
    )
    frame = spark.createDataFrame([tuple(map(int, pair)) for pair in links], "a long, b long")
    labels = dict(propagated([frame]).iter_rows())
    groups: dict[int, set[int]] = {}
    for code, label in labels.items():
        groups.setdefault(label, set()).add(code)
    expected: dict[int, set[int]] = {}
    for component, pair in zip(components(links).tolist(), links.tolist(), strict=True):
        expected.setdefault(component, set()).update(pair)
    assert sorted(map(sorted, groups.values())) == sorted(map(sorted, expected.values()))


def test_what_spans_profiles_is_refused(spark: Any, stored: Any) -> None:
    """With the reason."""
    from reactor.runners.spark import simulate

    config = {**JOINING, "limits": {"profiles": 3}}
    with pytest.raises(ReactorError, match=r"runner: expected a config without limits\.profiles"):
        simulate(spark, config, stored("refused", history(1)), table_column="table")
