"""The counters and singles of `retail-v1` with Polars on one thread, without identity.

    POLARS_MAX_THREADS=1 python benchmarks/by_polars.py FOLDER

prints its CPU time in seconds and the sum of each column. A window begins with a pane, so no rolling
function of Polars fits: a sum is what has come up to an event, less what came before its window's
first pane, found by a join on the greatest earlier time.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl

from reactor.testing.workloads import ORDERS, PAGES

DAY = 86_400
# Window in seconds, pane in seconds, as the config has them.
VIEWS = {"visits": (7 * DAY, 3_600), "visits_hour": (3_600, 60), "visits_day": (DAY, 3_600)}
PRODUCTS = {"product_views": (DAY, 3_600), "product_views_hour": (3_600, 60)}
SPENDS = {"spend": (30 * DAY, 3_600), "spend_week": (7 * DAY, 3_600), "total_spend": (60 * DAY, DAY)}
WINDOWS = {"view": VIEWS, "product_view": PRODUCTS, "paid": SPENDS}
NO_TEXT = pl.lit(None, dtype=pl.String)


def events(folder: Path) -> pl.LazyFrame:
    """Return the events of both tables by client and time, with what each adds."""
    is_product = pl.col("td_path").str.contains("^/retail/.*/product/")
    is_order = pl.col("amount") > 0
    pages = pl.scan_parquet(folder / f"{PAGES}.parquet").select(
        pl.col("td_client_id").alias("client"),
        "time",
        pl.lit(1).alias("view"),
        is_product.cast(pl.Int32).alias("product_view"),
        pl.lit(0.0).alias("paid"),
        pl.when(is_product).then("product_category").alias("category"),
        NO_TEXT.alias("order_id"),
    )
    orders = pl.scan_parquet(folder / f"{ORDERS}.parquet").select(
        pl.col("td_client_id").alias("client"),
        "time",
        pl.lit(0).alias("view"),
        pl.lit(0).alias("product_view"),
        pl.when(is_order).then("amount").otherwise(0.0).alias("paid"),
        NO_TEXT.alias("category"),
        pl.when(is_order).then("order_id").alias("order_id"),
    )
    return pl.concat([pages, orders]).filter(pl.col("client") != "null").sort("time", maintain_order=True)


def attributes(folder: Path) -> pl.DataFrame:
    """Return every attribute at each event."""
    rows = events(folder).collect()
    singles = {"last_category": "category", "last_order": "order_id"}
    rows = rows.with_columns(
        *(pl.col(column).cum_sum().over("client").alias(f"all_{column}") for column in WINDOWS),
        *(pl.col(column).forward_fill().over("client").alias(name) for name, column in singles.items()),
    )
    for column, named in WINDOWS.items():
        earlier = rows.select("client", "time", pl.col(f"all_{column}").alias("gone"))
        for name, (window, pane) in named.items():
            last_left_out = (pl.col("time") - window) // pane * pane - 1
            rows = (
                rows.with_columns(last_left_out.alias("edge"))
                .join_asof(
                    earlier,
                    left_on="edge",
                    right_on="time",
                    by="client",
                    check_sortedness=False,
                    suffix="_then",
                )
                .with_columns((pl.col(f"all_{column}") - pl.col("gone").fill_null(0)).alias(name))
                .drop("edge", "gone", "time_then", strict=False)
            )
    return rows


def main(folder: Path) -> dict[str, Any]:
    """Compute the attributes; return the CPU time and the sum of each."""
    begun = time.process_time()
    rows = attributes(folder)
    spent = time.process_time() - begun
    sums = {name: float(rows[name].sum()) for named in WINDOWS.values() for name in named}
    return {"cpu": spent, "sums": sums}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
