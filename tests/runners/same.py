"""What every runner must give: the rows of one machine. Each runner's tests call these."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import polars as pl
from replay.pieces import JOINING
from replay.shop import DAY

from reactor.replay import Options, Replay, Results

NUMBER = "number"  # the column that orders events
BUCKETS = (1, 2, 7, 64)
ROWS = [
    {"email": "x1@", "account": "p", "tier": "gold", "segments": ["7"], "time": 3 * DAY},
    {"email": "x2@", "account": "p", "tier": "tin"},
    {"email": "x900@", "account": "q"},
]


def history(seed: int, events: int = 60, people: int = 12) -> pl.DataFrame:
    """Return a small random history of two tables: late merges, ties, bad rows, events of nobody."""
    random = Random(seed)
    rows = []
    for number in range(events):
        is_order = random.random() < 0.3
        rows.append(
            {
                NUMBER: number,
                "table": "web.orders" if is_order else "web.views",
                "ordered_at" if is_order else "time": int(random.random() * 9) * DAY,
                "cookie": random.choice([f"c{int(random.random() * people)}", "null", None]),
                "mail": random.choice([f"X{int(random.random() * people)}@ ", "none", None, None]),
                "page": random.choice(["/1", "/2"]),
                "amount": random.choice([None, 5.5, 70.0]),
            }
        )
    rows[3].pop("time" if "time" in rows[3] else "ordered_at")
    schema = {"ordered_at": pl.Int64, "time": pl.Int64, "amount": pl.Float64}
    return pl.DataFrame(rows, schema_overrides=schema, infer_schema_length=None)


def alone(frame: pl.DataFrame, rows: Any = ROWS, **tables: bool) -> Results:
    """Replay on one machine."""
    options = Options(table_column="table", audience="private")
    return Replay(JOINING, frame.drop(NUMBER), options, batch=rows).run(**tables)


def texts(frame: pl.DataFrame) -> list[str]:
    """Return the rows of a table as JSON texts, one form for every runner."""
    plain = frame.with_columns(pl.selectors.datetime().dt.epoch("ms"))
    return [json.dumps(row, ensure_ascii=False) for row in plain.iter_rows()]
