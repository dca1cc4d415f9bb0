"""The offers of one section: a typed column for each output; and how others take the tables over."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from reactor.replay import simulate

from .shop import CONFIG, VIEWS, view

PAYLOAD = {
    "n": "views + 0.5",
    "whole": "views",
    "t": "last_page.time",
    "tier": "tier",
    "big": "generous",
    "names": "pages.names",
    "last": "pages.last",
    "page": "event.page",
    "tags": "tags",
    "event": "views * 2",
}
OUTPUTS = {
    "n": pl.Float64,
    "whole": pl.Float64,
    "t": pl.Datetime("ms", "UTC"),
    "tier": pl.String,
    "big": pl.Boolean,
    "names": pl.String,
    "last": pl.String,
    "page": pl.String,
    "tags": pl.List(pl.String),
    "attributes.event": pl.Float64,
    "text": pl.String,
}
BATCH = [{"email": "e", "tier": "gold", "tags": ["x", "y"], "segments": "7", "time": 0}]


@pytest.fixture
def config() -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    payload = {"attributes": PAYLOAD, "strings": {"text": "hi"}, "segments": ["7"]}
    config["personalizations"]["home"]["sections"]["Typed"] = {"on": "view", "payload": payload}
    return config


def test_every_type(config: dict[str, Any]) -> None:
    """Numbers, times, booleans, lists and texts have their types; what has no one type is JSON text."""
    events = [view("a", 0, "/ä\"'"), view("b", 1, email="e")]
    frame = simulate(config, events, table="web.views", batch=BATCH, audience="private").section("Typed")
    own = {"event": pl.Int64, "table": pl.String, "time": pl.Datetime("ms", "UTC"), "rid": pl.String}
    own |= {"profile": pl.String, "redacted": pl.Boolean, "batch_segments": pl.List(pl.String)}
    assert dict(frame.schema) == {**own, **OUTPUTS}
    rows = [tuple(row[name] for name in ("batch_segments", *OUTPUTS)) for row in frame.rows(named=True)]
    time = datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 2, tzinfo=UTC)
    name = '"/ä\\"\'"'
    assert rows == [
        ([], 1.5, 1.0, time[0], None, False, f"[{name}]", name, name, None, 2.0, "hi"),
        (["7"], 1.5, 1.0, time[1], "gold", False, '["/"]', '"/"', '"/"', ["x", "y"], 2.0, "hi"),
    ]


def test_a_redacted_offer_and_no_offer(config: dict[str, Any]) -> None:
    """Nulls; and the types stay the same without rows."""
    run = simulate(config, VIEWS, table="web.views")
    typed = run.section("Typed")
    assert typed.select(*OUTPUTS).null_count().row(0) == (typed.height,) * len(OUTPUTS)
    assert typed["redacted"].all()
    assert typed["batch_segments"].to_list() == [None] * typed.height
    empty = simulate(config, [], table="web.views").section("Typed")
    assert (empty.height, empty.schema) == (0, typed.schema)
    assert run.section("Hello")["redacted", "views", "batch_segments"].rows() == [(False, 1.0, [])] * 2


def test_others_take_the_tables_over_as_arrow() -> None:
    """pyarrow, DuckDB and pandas read them with their types, none of them by way of text."""
    run = simulate(CONFIG, VIEWS, table="web.views")
    offers, attributes = run.offers, run.attributes
    assert hasattr(offers, "__arrow_c_stream__")
    table = pa.table(offers)
    assert table.schema.field("time").type == pa.timestamp("ms", "UTC")
    assert table.column("event").to_pylist() == [0, 1, 2]
    typed = run.section("Hello")
    assert duckdb.sql("SELECT sum(views), min(time) FROM typed").fetchall() == [
        (2.0, datetime(1970, 1, 1, tzinfo=UTC))
    ]
    assert typed.height == 2
    frame: Any = attributes.to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert frame["views"].tolist() == [1, 1, 2]
    assert str(frame["time"].dtype) == "datetime64[ms, UTC]"


class Handed:
    """A table that knows one way to be handed over, and no other."""

    def __init__(self, table: Any, *names: str) -> None:
        self._table = table
        self._names = names

    def __getattr__(self, name: str) -> Any:
        if name in self._names:
            return getattr(self._table, name)
        raise AttributeError(name)


def test_every_kind_of_table_is_taken() -> None:
    """Whole tables, batches, readers, relations and whatever hands itself over as Arrow."""
    frame = pl.DataFrame(VIEWS)
    table = frame.to_arrow()
    expected = simulate(CONFIG, VIEWS, table="web.views").offers
    batches = table.to_batches()
    relation = duckdb.sql("SELECT * FROM frame")
    sources = (
        table,
        batches[0],
        pa.RecordBatchReader.from_batches(batches[0].schema, batches),
        relation,
        Handed(frame, "__arrow_c_stream__"),
        Handed(batches[0], "__arrow_c_array__"),
        Handed(
            pa.table({name: table[name].cast(pa.string()) for name in table.column_names}), "__dataframe__"
        ),
        [frame.head(1), frame.tail(2).to_pandas()],
        {"web.views": [frame.head(1).to_arrow(), frame.tail(2)]},
        (("web.views", frame.head(2)), ("web.views", frame.tail(1))),
    )
    for source in sources:
        assert simulate(CONFIG, source, table="web.views").offers.equals(expected)  # type: ignore[arg-type]


def test_columns_that_are_called_alike_are_one_clear_error() -> None:
    table = pa.table([pa.array(["a"]), pa.array(["b"])], names=["cookie", "cookie"])
    with pytest.raises(ValueError, match=r"^events: expected a table whose columns have different names"):
        simulate(CONFIG, table, table="web.views")
