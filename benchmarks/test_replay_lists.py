"""`replay` where lists are long: a shop's order lines, each of which asks for the products of 60 days.

The whole set goes by columns and through the live engine, each in a process of its own, to files that
must be equal to the byte. For DuckDB and Polars there is one list without identity, at the first
100,000 lines; what all three find must be equal line by line. Figures are CPU time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl
import pytest
from sizes import FULL

LINES = 100_000 if FULL else 4_000
ROUNDS = 3 if FULL else 1
BAR = 4  # times as fast as the live engine
PEER_BAR = 3
HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared"
SHOP = SHARED / "data" / "online-retail" / "online_retail.csv.gz"
CONFIG = SHARED / "examples" / "retail-rfm.yaml"

pytestmark = pytest.mark.skipif(not SHOP.exists(), reason=f"{SHOP} is not there")


def run(*command: str | Path) -> dict[str, Any]:
    """Return what a script says of itself, from a process of its own with one thread."""
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first lines of the shop, as `list_peers.py` takes them."""
    rows = pl.read_csv(SHOP, infer_schema=False, n_rows=LINES)
    when = pl.col("InvoiceDate").str.to_datetime().dt.replace_time_zone("Europe/London")
    price = pl.col("UnitPrice").cast(pl.Float64)
    is_sale = (pl.col("Quantity").cast(pl.Int64) > 0) & (price > 0)
    is_purchase = ~pl.col("InvoiceNo").str.starts_with("C") & is_sale
    path = tmp_path_factory.mktemp("lists") / "lines.parquet"
    rows.select(
        pl.coalesce("CustomerID", "InvoiceNo").alias("client"),
        when.dt.epoch("s").alias("time"),
        pl.when(is_purchase).then("StockCode").alias("item"),
        pl.col("Description").alias("name"),
        price.alias("price"),
    ).sort("time", maintain_order=True).write_parquet(path)
    return path


@pytest.mark.parametrize("peer", ["duckdb", "polars"])
def test_lists_against_peers(peer: str, lines: Path, say: list[str]) -> None:
    """The same lists at every line, in a third of the CPU time at most."""
    script = HERE / "list_peers.py"
    rounds = [(run(script, peer, lines), run(script, "columns", lines)) for _ in range(ROUNDS)]
    for theirs, ours in rounds:
        assert ours["lists"] > LINES * 9 // 10
        assert (theirs["lists"], theirs["digest"]) == (ours["lists"], ours["digest"])
    ratios = [theirs["cpu"] / ours["cpu"] for theirs, ours in rounds]
    theirs, ours = rounds[-1]
    say.append(
        f"{LINES:,} lines: {median(ratios):.1f} times as fast ({min(ratios):.1f} to {max(ratios):.1f}); "
        f"{theirs['cpu']:.2f} s and {theirs['peak_mb']} MB, {ours['cpu']:.2f} s and {ours['peak_mb']} MB"
    )
    if FULL:
        assert median(ratios) >= PEER_BAR


def test_the_whole_shop_against_the_live_engine(tmp_path: Path, say: list[str]) -> None:
    """The same bytes, in a fourth of the CPU time at most."""
    events = SHOP
    if not FULL:
        events = tmp_path / "lines.csv"
        pl.read_csv(SHOP, infer_schema=False, n_rows=LINES).write_csv(events)
    sides = [
        [run(HERE / "replay.py", engine, tmp_path, CONFIG, events) for engine in ("live", "columnar")]
        for _ in range(ROUNDS)
    ]
    for live, columnar in sides:
        assert live["digest"] == columnar["digest"]
        assert columnar["offers"] == live["offers"] > 0
        assert columnar["fallback"] == 0
    ratios = [live["total"] / columnar["total"] for live, columnar in sides]
    say.append(
        f"{sides[-1][0]['events']:,} lines: {median(ratios):.1f} times as fast "
        f"({min(ratios):.1f} to {max(ratios):.1f})"
    )
    for name, found in zip(("live", "columnar"), sides[-1], strict=True):
        parts = ", ".join(f"{part} {found[part]:.2f}" for part in ("read", "run", "write"))
        say.append(f"{name}: {found['total']:.2f} s: {parts}; {found['peak_mb']} MB")
    if FULL:
        assert median(ratios) >= BAR
