"""Ray gives the rows of one machine, for any number of buckets: the seam fits another runner."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from replay.pieces import JOINING

from reactor import ReactorError

from .same import BUCKETS, NUMBER, ROWS, alone, history, texts

pytest.importorskip("ray", reason='NOT RUN: pip install "reactor-engine[ray]"')
pytestmark = pytest.mark.filterwarnings("ignore")  # ray's own


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """Two workers on this machine."""
    import ray

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        logging_level="ERROR",
        object_store_memory=200_000_000,
        runtime_env={"env_vars": {"PYTHONPATH": str(Path(__file__).parents[2])}},
    )
    yield
    ray.shutdown()


@pytest.mark.parametrize("buckets", BUCKETS[:3])
def test_every_table_is_that_of_one_machine(tmp_path: Path, buckets: int) -> None:
    """Offers, attributes, identity log, profiles, bad rows, summary; two inputs, one a file."""
    from reactor.runners.ray import simulate

    frame = history(buckets)
    bare = frame.drop(NUMBER)
    bare.slice(0, 20).write_parquet(tmp_path / "a.parquet")
    events: list[Any] = [str(tmp_path / "a.parquet"), bare.slice(20)]
    run = simulate(JOINING, events, batch=ROWS, buckets=buckets, table_column="table", audience="private")
    expected = alone(frame, attributes=True, profiles=True)
    found = {"offers": run.offers, "id_changes": run.id_changes, "attributes": run.attributes}
    for name, table in {**found, "profiles": run.profiles()}.items():
        one: pl.DataFrame = getattr(expected, name)
        assert table.schema == one.schema
        assert texts(table) == texts(one), name
    summary = run.summary()
    assert {**summary, "warnings": [], "rejects": []} == {**expected.summary, "warnings": [], "rejects": []}
    assert [(each.event, each.path) for each in run.rejects] == expected.rejects["event", "path"].rows()
    assert sum(each["rows"] for each in run.split["by_bucket"]) == frame.height


def test_what_spans_profiles_is_refused() -> None:
    """With the reason."""
    from reactor.runners.ray import simulate

    with pytest.raises(ReactorError, match="runner: expected a config without"):
        simulate({**JOINING, "limits": {"profiles": 3}}, history(1), table_column="table")
