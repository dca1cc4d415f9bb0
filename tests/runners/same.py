"""What every runner must give: the rows of one machine. Each runner's tests call these."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import polars as pl
from replay.pieces import JOINING
from replay.shop import DAY

from reactor.replay import Options, Replay, Results
from reactor.replay.history import rejects_frame

NUMBER = "number"  # the column that orders events
BUCKETS = (1, 2, 7, 64)
ROWS = [
    {"email": "x1@", "account": "p", "tier": "gold", "segments": ["7"], "time": 3 * DAY},
    {"email": "x2@", "account": "p", "tier": "tin"},
    {"email": "x900@", "account": "q"},
]
ASKED = {"table_column": "table", "audience": "private"}
TABLES = ("offers", "id_changes", "attributes", "attributes_before", "profiles")
ALL = {"attributes": True, "attributes_before": True, "profiles": True}


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


def tangled(events: int = 12_000) -> pl.DataFrame:
    """Return a history whose identifiers hang together: a kiosk, a chain, and visitors of two events.

    A third shares the mail of a kiosk; a third is one chain, in which each cookie is seen with the mail
    before it and with the next one.
    """
    rows = []
    for number in range(events):
        kind, place = number % 3, number // 3
        cookie = (f"k{place % 900}", f"l{place // 2}", f"v{place // 2}")[kind]
        mail = ("kiosk@", f"l{(place + 1) // 2}@", None)[kind]
        rows.append({NUMBER: number, "time": number, "cookie": cookie, "mail": mail, "page": "/1"})
    return pl.DataFrame(rows)


def alone(frame: pl.DataFrame, rows: Any = ROWS, **asked: Any) -> Results:
    """Replay on one machine, with every table."""
    options = Options(**(asked or ASKED))
    return Replay(JOINING, frame.drop(NUMBER), options, batch=rows).run(**ALL)


def texts(frame: pl.DataFrame) -> list[str]:
    """Return the rows of a table as JSON texts, one form for every runner."""
    plain = frame.with_columns(pl.selectors.datetime().dt.epoch("ms"))
    return [json.dumps(row, ensure_ascii=False) for row in plain.iter_rows()]


def is_that_of_one_machine(run: Any, expected: Results, files: bool = False) -> None:
    """Assert that the outcome of a run is this: every table, the bad rows and the summary.

    files: whether bad rows are numbered within their sources.
    """
    run.made(**ALL)
    for name in TABLES:
        found, one = run._outcome.table(name, **ALL), getattr(expected, name)
        assert found.schema == one.schema
        assert texts(found) == texts(one), name
    assert run.summary() == expected.summary
    rejects = rejects_frame(run.rejects)
    columns = rejects.columns if files else ["event", "table", "path", "reason"]
    assert rejects.select(columns).rows() == expected.rejects.select(columns).rows()
    assert sum(each["rows"] for each in run.split["by_bucket"]) == run.split["rows"]
