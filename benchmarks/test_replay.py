"""`replay`: a history by columns, against the live engine, DuckDB and Polars.

Each replay runs in a process of its own, in turn, from the same parquet files to the same `--out`, and
the two files must be equal to the byte. DuckDB, with one thread, computes the counters and singles
of `retail-v1` at each event by client, without identity; so the replay it is compared with has a
config of these and of one key. Figures are CPU time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import polars as pl
import pytest
from by_polars import WINDOWS
from sizes import FULL

from reactor.replay import Replay, options
from reactor.testing.workloads import ORDERS, PAGES, retail_config, retail_v1

EVENTS = int(os.environ.get("REACTOR_REPLAY_EVENTS", "1000000" if FULL else "4000"))
ROUNDS = 3 if FULL else 1
HERE = Path(__file__).resolve().parent
ATTRIBUTES = ("visits", "product_views", "spend", "total_spend", "last_category", "last_order")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The events of retail-v1 as a parquet file a table."""
    folder = tmp_path_factory.mktemp("replay")
    events = retail_v1(EVENTS).events
    for table in (PAGES, ORDERS):
        rows = [event for name, event in events if name == table]
        columns = sorted({name for row in rows for name in row})
        frame = pl.DataFrame({name: [row.get(name) for row in rows] for name in columns})
        frame.write_parquet(folder / f"{table}.parquet")
    return folder


def replayed(engine: str, folder: Path) -> dict[str, Any]:
    """Return what a replay in a process of its own says of itself."""
    command = [sys.executable, str(HERE / "replay.py"), engine, str(folder)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_against_the_live_engine(folder: Path, say: list[str]) -> None:
    """The same bytes, in a fourth of the CPU time at most."""
    rounds = [(replayed("live", folder), replayed("columnar", folder)) for _ in range(ROUNDS)]
    for live, columnar in rounds:
        assert live["digest"] == columnar["digest"]
        assert columnar["offers"] == live["offers"] > 0
        assert columnar["fallback"] == 0
    ratios = [live["total"] / columnar["total"] for live, columnar in rounds]
    live, columnar = rounds[-1]
    say.append(
        f"{EVENTS:,} events: {median(ratios):.1f} times as fast ({min(ratios):.1f} to {max(ratios):.1f})"
    )
    for name, found in (("live", live), ("columnar", columnar)):
        parts = ", ".join(f"{part} {found[part]:.2f}" for part in ("read", "run", "write"))
        say.append(
            f"{name}: {found['total'] / EVENTS * 1e6:.1f} us an event; s: {parts}; {found['peak_mb']} MB"
        )
    if FULL:
        assert median(ratios) >= 4


def plain_config() -> dict[str, Any]:
    """Return retail-v1 with one key, its counters and singles, and no sections."""
    config: dict[str, Any] = dict(retail_config())
    config["identity"] = {"secret": "retail-v1", "keys": {"td_client_id": {}}}
    config["attributes"] = {name: config["attributes"][name] for name in ATTRIBUTES}
    return {**config, "personalizations": {}}


def sql(folder: Path) -> str:
    """Return the query of DuckDB: for each event, as of its time, what its client's attributes are."""

    def window(value: str, span: tuple[int, int]) -> str:
        # The window begins with the pane that its far edge lies in: a frame whose start differs by row.
        reach = f"time - (time - {span[0]}) // {span[1]} * {span[1]}"
        frame = f"PARTITION BY client ORDER BY time RANGE BETWEEN {reach} PRECEDING AND CURRENT ROW"
        return f"sum({value}) OVER ({frame})"

    pages, orders = (folder / f"{table}.parquet" for table in (PAGES, ORDERS))
    columns = [
        *(
            f"{window(value, span)} AS {name}"
            for value, named in WINDOWS.items()
            for name, span in named.items()
        ),
        "last_value(category IGNORE NULLS) OVER latest AS last_category",
        "last_value(order_id IGNORE NULLS) OVER latest AS last_order",
    ]
    return f"""
        WITH events AS (
            SELECT td_client_id AS client, time, 1 AS view,
                CASE WHEN regexp_matches(td_path, '^/retail/.*/product/') THEN 1 ELSE 0 END AS product_view,
                CASE WHEN product_view = 1 THEN product_category END AS category,
                CAST(0 AS DECIMAL(18, 6)) AS paid, NULL AS order_id
            FROM '{pages}'
            UNION ALL
            SELECT td_client_id, time, 0, 0, NULL,
                CASE WHEN amount > 0 THEN CAST(amount AS DECIMAL(18, 6)) ELSE 0 END,
                CASE WHEN amount > 0 THEN order_id END
            FROM '{orders}'
        )
        SELECT client, time, {", ".join(columns)} FROM events WHERE client <> 'null'
        WINDOW latest AS (PARTITION BY client ORDER BY time ROWS UNBOUNDED PRECEDING)
    """


def by_duckdb(folder: Path) -> tuple[float, dict[str, float]]:
    """Compute the attributes with DuckDB on one thread; return its CPU time and the sum of each number."""
    with duckdb.connect(config={"threads": 1}) as connection:
        begun = time.process_time()
        connection.execute(f"CREATE TABLE found AS {sql(folder)}")
        spent = time.process_time() - begun
        names = [name for named in WINDOWS.values() for name in named]
        sums = connection.execute(
            f"SELECT {', '.join(f'sum({name})' for name in names)} FROM found"
        ).fetchone()
    assert sums is not None
    return spent, dict(zip(names, map(float, sums), strict=True))


def by_columns(folder: Path) -> pl.DataFrame:
    """Compute the attributes with a replay."""
    events = {table: folder / f"{table}.parquet" for table in (PAGES, ORDERS)}
    found = Replay(plain_config(), events, options(engine="columnar")).run(attributes=True, id_changes=False)
    assert found.attributes is not None
    return found.attributes


def by_polars(folder: Path) -> tuple[float, dict[str, float]]:
    """Compute the attributes with Polars on one thread; return its CPU time and the sum of each number."""
    done = subprocess.run(
        [sys.executable, str(HERE / "by_polars.py"), str(folder)],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
    )
    found = json.loads(done.stdout)
    return found["cpu"], found["sums"]


@pytest.mark.parametrize("peer", [by_duckdb, by_polars])
def test_against_peers(
    peer: Callable[[Path], tuple[float, dict[str, float]]], folder: Path, say: list[str]
) -> None:
    """The same sums, in a third of the CPU time at most."""
    ratios = []
    for _ in range(ROUNDS):
        theirs, sums = peer(folder)
        begun = time.process_time()
        ours = by_columns(folder)
        ratios.append(theirs / (time.process_time() - begun))
    for name in ("visits", "visits.hour", "product_views", "spend", "spend.week", "total_spend"):
        # Events of one time see each other in DuckDB, and only the earlier ones in a replay; events
        # without a client are nobody's there, and left out here.
        assert sums[name.replace(".", "_")] == pytest.approx(float(ours[name].sum()), rel=0.02)
    name = peer.__name__.removeprefix("by_")
    least, most = min(ratios), max(ratios)
    say.append(f"{EVENTS:,} events: {median(ratios):.1f} times as fast as {name} ({least:.1f} to {most:.1f})")
    if FULL:
        assert median(ratios) >= 3
