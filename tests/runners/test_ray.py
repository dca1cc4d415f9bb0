"""Ray gives the rows of one machine, for any number of buckets: the seam fits another runner."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from replay.pieces import JOINING

from reactor import ReactorError

from .same import ASKED, BUCKETS, NUMBER, ROWS, alone, history, is_that_of_one_machine, tangled, texts

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
    """Batch rows that join, made keys, late merges, bad rows, ties; three inputs, one a file."""
    from reactor.runners.ray import simulate

    frame = history(buckets)
    bare = frame.drop(NUMBER)
    path = str(tmp_path / "a.parquet")
    bare.slice(0, 20).write_parquet(path)
    events: list[Any] = [path, bare.slice(20, 15), bare.slice(35)]
    run = simulate(JOINING, events, batch=ROWS, buckets=buckets, **ASKED)
    expected = alone(frame)
    is_that_of_one_machine(run, expected)
    assert texts(run.offers) == texts(expected.offers)
    for each in run.rejects:
        first = {path: 0}.get(each.file, 20 if each.event < 35 else 35)
        assert each.row == each.event - first


def test_everything_hangs_together(slow: None) -> None:
    """A kiosk and a chain of 4,000 events each: merges without end, evictions, and one bucket for each."""
    from reactor.runners.ray import simulate

    frame = tangled()
    run = simulate(JOINING, frame.drop(NUMBER), buckets=7, table="web.views")
    assert run.split["largest"] == [4_000, 4_000, *[2] * 8]
    is_that_of_one_machine(run, alone(frame, None, table="web.views"))


def test_what_spans_profiles_is_refused() -> None:
    """With the reason."""
    from reactor.runners.ray import simulate

    with pytest.raises(ReactorError, match="runner: expected a config without"):
        simulate({**JOINING, "limits": {"profiles": 3}}, history(1), table_column="table")
