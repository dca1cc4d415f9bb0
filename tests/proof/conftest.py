"""The retail file in DuckDB: every line as an event, with nothing of this package involved."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
RETAIL = SHARED / "data" / "online-retail" / "online_retail.csv.gz"
SQL = Path(__file__).with_name("sql")

# The last digits of customers and guests. One is about a tenth of them, each with the whole year:
# windows open, slide and run out.
EVERYONE = "0123456789"
SOME = "7"


def pytest_report_header() -> str:
    """Say how much of the file the windows are compared on."""
    which = "of everyone" if whole_file() else "of a tenth of the customers; RETAIL=whole for all"
    return f"retail proof: attributes {which}"


def whole_file() -> bool:
    """Tell whether the slow comparison was asked for."""
    return os.environ.get("RETAIL") == "whole"


@pytest.fixture(scope="session")
def retail() -> Path:
    """Return the file of 541,909 order lines."""
    if not RETAIL.exists():
        pytest.skip("the Online Retail file is not there: ../shared/data/online-retail/online_retail.csv.gz")
    return RETAIL


@pytest.fixture(scope="session")
def everyone(retail: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection with the table `lines`, of the whole file."""
    with connected(retail, EVERYONE) as connection:
        yield connection


def connected(retail: Path, digits: str) -> duckdb.DuckDBPyConnection:
    """Return a connection with the lines of the customers whose number ends in one of `digits`."""
    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    connection.execute(statement("lines"), {"path": str(retail), "digits": digits})
    return connection


def statement(name: str) -> str:
    """Return the SQL of a file."""
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")
