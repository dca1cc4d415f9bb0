"""Law L5, as files: both engines write the same bytes, whatever the ending.

Would catch a column of another type, a list or JSON text in another form, rows in another order.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from reactor.frames.writing import write_frame
from reactor.replay import Replay, Results, options

RETAIL = Path(__file__).parents[2] / "docs" / "examples" / "retail"
TABLES = ("offers", "attributes", "attributes_before", "id_changes", "profiles", "rejects")
EVENTS = 6_000


def replayed(engine: str) -> Results:
    """Replay the first orders of the shipped year, for a private audience, with every table."""
    chosen = options(engine=engine, limit=EVENTS, audience="private")
    replay = Replay(RETAIL / "reactor.yaml", RETAIL / "orders.csv.gz", chosen, batch=RETAIL / "loyalty.csv")
    return replay.run(attributes=True, attributes_before=True, profiles=True)


@pytest.fixture(scope="module")
def both() -> tuple[Results, Results]:
    """What the two engines give."""
    return replayed("live"), replayed("columnar")


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl", "json"])
def test_both_engines_write_the_same_bytes(
    both: tuple[Results, Results], tmp_path: Path, ending: str
) -> None:
    for table in TABLES:
        files = [tmp_path / f"{table}-{number}.{ending}" for number in range(2)]
        for results, file in zip(both, files, strict=True):
            write_frame(getattr(results, table), file)
        assert files[0].read_bytes() == files[1].read_bytes(), table
    assert both[1].summary["fallback"]["events"] == 0
    assert both[0].offers.height > 100
