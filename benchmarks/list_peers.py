"""A `unique` list at each of 100,000 order lines, by DuckDB, by Polars and by a replay, without identity.

    POLARS_MAX_THREADS=1 python benchmarks/list_peers.py duckdb LINES.parquet

prints the CPU time in seconds, the peak memory in MB, and what came out. After each line the list holds
the last 100 different products of the client within 60 days: their codes, the highest price, the last
name, and how many there are. LINES has `client`, `time` in seconds, `item` (null where a line is no
purchase), `name` and `price`, sorted by time.
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

import duckdb
import polars as pl

from reactor.replay import Replay, options

MOST, TTL_S = 100, 60 * 86_400

CONFIG: Final[dict[str, Any]] = {
    "version": 1,
    "name": "lists",
    "identity": {"secret": "lists", "keys": {"client": {}}},
    "tables": {"shop.lines": {}},
    "key_events": {"purchase": {"table": "shop.lines", "where": "item IS NOT NULL"}},
    "attributes": {
        "products": {
            "type": "list",
            "on": "purchase",
            "item": "item",
            "unique": True,
            "fields": ["name", "price"],
            "max_items": MOST,
            "ttl": "60d",
            "aggregations": {
                "codes": {"distinct": "item"},
                "top_price": {"max": "price"},
                "last_name": {"last": "name"},
                "number": {"count": "item"},
            },
        }
    },
}

# A product is in the list until it is bought again: a join on that is faster than lists over a window,
# which hold every line of 60 days at each line, and than a join on the time alone.
SQL = f"""
    CREATE TABLE found AS
    WITH numbered AS (SELECT *, row_number() OVER () AS n FROM '{{path}}'),
    lines AS (
        SELECT *, lead(n) OVER (PARTITION BY client, item ORDER BY n) AS again
        FROM numbered WHERE item IS NOT NULL
    ),
    live AS (
        SELECT asked.n, line.n AS line, line.item, line.price, line.name
        FROM numbered AS asked JOIN lines AS line
        ON asked.client = line.client AND line.n <= asked.n
            AND (line.again IS NULL OR line.again > asked.n) AND line.time > asked.time - {TTL_S}
    ),
    newest AS (
        SELECT * FROM live QUALIFY row_number() OVER (PARTITION BY n ORDER BY line DESC) <= {MOST}
    )
    SELECT n, list(item ORDER BY line) AS codes, max(price) AS top_price,
        arg_max(name, line) AS last_name, count(*) AS number
    FROM newest GROUP BY n
"""

Found = tuple[float, pl.DataFrame]


def by_duckdb(path: str) -> Found:
    """Return the CPU time of DuckDB with one thread, and the lists that are not empty."""
    with duckdb.connect(config={"threads": 1}) as connection:
        begun = time.process_time()
        connection.execute(SQL.format(path=path))
        spent = time.process_time() - begun
        columns = ("codes", "top_price", "last_name", "number")
        rows = connection.execute(f"SELECT {', '.join(columns)} FROM found ORDER BY n").fetchall()
    found = pl.DataFrame(rows, schema=columns, orient="row").with_columns(pl.col("codes").list.join(","))
    return spent, found


def by_polars(path: str) -> Found:
    """Return the CPU time of Polars, and the lists that are not empty: by windows over (time, line)."""
    width = 1 << 20
    begun = time.process_time()
    lines = pl.read_parquet(path).with_row_index("n")
    lines = lines.with_columns((pl.col("time") * width + pl.col("n")).alias("moment")).sort("moment")
    is_live = pl.col("item").is_last_distinct() & pl.col("item").is_not_null()
    found = lines.rolling("moment", period=f"{TTL_S * width}i", group_by="client").agg(
        pl.col("n").last(),
        pl.col("item").filter(is_live).tail(MOST).alias("codes"),
        pl.col("price").filter(is_live).tail(MOST).max().alias("top_price"),
        pl.col("name").filter(is_live).last().alias("last_name"),
        is_live.sum().clip(upper_bound=MOST).alias("number"),
    )
    spent = time.process_time() - begun
    found = found.filter(pl.col("number") > 0).sort("n").with_columns(pl.col("codes").list.join(","))
    return spent, found


def by_columns(path: str) -> Found:
    """Return the CPU time of a replay by columns, and the lists that are not empty."""
    for module in ("engine", "replay.history", "replay.columns.passes", "replay.summary"):
        import_module(f"reactor.{module}")  # outside the clock, as the others' are
    begun = time.process_time()
    results = Replay(CONFIG, {"shop.lines": path}, options(engine="columnar")).run(
        attributes=True, id_changes=False
    )
    spent = time.process_time() - begun
    assert results.attributes is not None
    found = results.attributes.rename(lambda name: name.removeprefix("products."))
    found = found.filter(pl.col("number") > 0).with_columns(
        pl.col("codes").str.json_decode(pl.List(pl.String)).list.join(","),
        pl.col("last_name").str.json_decode(pl.String),
    )
    return spent, found


PEERS: Final[dict[str, Callable[[str], Found]]] = {
    "duckdb": by_duckdb,
    "polars": by_polars,
    "columns": by_columns,
}


def main(peer: str, path: str) -> dict[str, Any]:
    """Compute the lists; return what it cost and what says that two results are the same."""
    spent, found = PEERS[peer](path)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    digest = hashlib.blake2b(digest_size=8)
    for row in found.select("codes", "top_price", "last_name", "number").iter_rows():
        digest.update(repr(row).encode())
    return {"cpu": spent, "peak_mb": peak_mb, "lists": found.height, "digest": digest.hexdigest()}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2])))
