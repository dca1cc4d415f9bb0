"""Every value at every event: the engine's `attributes` against DuckDB's windows over the same lines.

In CI on a tenth of the customers and guests, 56,613 lines of the whole year. All ten tenths, one after
the other, take some minutes:

    RETAIL=whole pytest tests/proof/test_retail_attributes.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from reactor.replay import Replay

from .conftest import EVERYONE, SOME, connected, statement, whole_file

CONFIG = Path(__file__).with_name("retail-proof.yaml")


@pytest.fixture(scope="module", params=list(EVERYONE if whole_file() else SOME))
def digit(request: pytest.FixtureRequest) -> str:
    """Give the last digit of the customers and guests that are compared."""
    return str(request.param)


@pytest.fixture(scope="module")
def lines(retail: Path, digit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection with the lines that are compared."""
    with connected(retail, digit) as connection:
        yield connection


@pytest.fixture(scope="module")
def attributes(retail: Path, digit: str) -> pl.DataFrame:
    """Return the engine's values, for the same lines."""
    person = pl.coalesce("CustomerID", "InvoiceNo")
    table = pl.read_csv(retail, infer_schema=False).filter(person.str.tail(1) == digit)
    found = Replay(CONFIG, table).run(attributes=True).attributes
    assert found is not None
    return found


def differences(attributes: pl.DataFrame, expected: pl.DataFrame) -> dict[str, int]:
    """Count, by column, the events at which two tables differ; columns that agree are left out."""
    assert attributes["event"].to_list() == expected["event"].to_list()
    names = [name for name in expected.columns if name in attributes.columns and name != "event"]
    counts = {
        name: int(attributes[name].ne_missing(expected[name].cast(attributes[name].dtype)).sum())
        for name in names
    }
    return {name: count for name, count in counts.items() if count}


def test_windows_totals_and_singles(lines: duckdb.DuckDBPyConnection, attributes: pl.DataFrame) -> None:
    """Counts, decimal sums and latest values: windows of panes of a second, a minute, an hour and a day."""
    lines.execute(statement("attributes"))
    expected = lines.sql("FROM windows").pl()
    assert len(expected) > 40_000
    assert [name for name in expected.columns if name not in attributes.columns] == [
        "person",
        "time_ms",
        "order_key",
    ]
    assert attributes["time"].dt.epoch("ms").to_list() == expected["time_ms"].to_list()
    assert differences(attributes, expected) == {}


def test_lists(lines: duckdb.DuckDBPyConnection, attributes: pl.DataFrame) -> None:
    """Items kept by number and by time, once a value or not, and every aggregation, in order."""
    lines.execute(statement("lists"))
    expected = lines.sql("FROM lists").pl()
    assert [name for name in expected.columns if name not in attributes.columns] == []
    assert differences(attributes, expected) == {}


def test_one_profile_a_person(lines: duckdb.DuckDBPyConnection, attributes: pl.DataFrame) -> None:
    """The partition: as many rids as people, and never two people with one rid."""
    people = lines.sql("SELECT person FROM lines ORDER BY row_number").pl()
    pairs = people.with_columns(attributes["rid"]).unique()
    assert pairs["rid"].null_count() == 0
    assert pairs["rid"].n_unique() == pairs["person"].n_unique() == len(pairs)
