"""Who was offered what in a year of real orders: the engine against SQL written for each section alone."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest

from reactor.replay import simulate

from .conftest import SHARED, statement

SECTIONS = {
    "Won back": ("won_back", 2986),
    "Became a big spender": ("became_a_big_spender", 2633),
    "Guest": ("guest", 1428),
}


@pytest.fixture(scope="module")
def offers(retail: Path) -> pl.DataFrame:
    """Return the offers of the whole file."""
    return simulate(SHARED / "examples" / "retail-rfm.yaml", retail).offers


def answer(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[object, ...]:
    """Return the only row of a query."""
    (row,) = connection.execute(sql).fetchall()
    return tuple(row)


def test_the_file_is_whole(everyone: duckdb.DuckDBPyConnection) -> None:
    """Its own facts: rows, money; and no row is out of order, or of nobody."""
    assert answer(everyone, "SELECT count(*), sum(amount)::VARCHAR FROM lines") == (541_909, "9747747.934000")
    unordered = "SELECT time_ms < lag(time_ms) OVER (ORDER BY row_number) AS earlier, person FROM lines"
    assert answer(everyone, f"SELECT count(*) FROM ({unordered}) WHERE earlier OR person IS NULL") == (0,)


def test_amounts_are_the_same_as_decimals_and_as_rounded_doubles(everyone: duckdb.DuckDBPyConnection) -> None:
    """The engine multiplies doubles and rounds half-even to six places: SQL's decimals say the same."""
    differ = "SELECT count(*) FROM lines WHERE amount * 1000000 <> amount_of_doubles"
    assert answer(everyone, differ) == (0,)


@pytest.mark.parametrize("section", SECTIONS)
def test_sql_alone_gives_the_known_number(everyone: duckdb.DuckDBPyConnection, section: str) -> None:
    name, expected = SECTIONS[section]
    assert len(everyone.execute(statement(name)).fetchall()) == expected


@pytest.mark.parametrize("section", SECTIONS)
def test_the_engine_offers_at_the_same_events(
    everyone: duckdb.DuckDBPyConnection, offers: pl.DataFrame, section: str
) -> None:
    """Not only as often: at the very same lines of the file."""
    name, expected = SECTIONS[section]
    events = [row for (row,) in everyone.execute(statement(name)).fetchall()]
    offered = offers.filter(pl.col("section") == section)["event"].to_list()
    assert len(offered) == expected
    assert offered == events
