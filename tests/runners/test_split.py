"""The split of a history, without anything that moves it: what hangs together is named, with a remedy."""

from __future__ import annotations

import polars as pl
import pytest
from replay.pieces import JOINING

pytest.importorskip("polars")

from reactor.runners.seam import gathered, job_of, plan, scan

from .same import NUMBER, tangled


def split(frame: pl.DataFrame, buckets: int) -> dict[str, object]:
    """Look at a history in four pieces, and return the report of its split."""
    job = job_of([JOINING], [("events", "web.views")])
    step = -(-frame.height // 4)
    pieces = [frame.drop(NUMBER).slice(start, step) for start in range(0, frame.height, step)]
    scans = [scan(job, 0, [piece]) for piece in pieces]
    return dict(plan(job, gathered(scans, 1), None, buckets).split)


def test_a_kiosk_and_a_chain() -> None:
    """Either has 15,000 of 45,000 events; a visitor has two."""
    found = split(tangled(45_000), 64)
    assert found["largest"] == [15_000, 15_000, *[2] * 8]
    assert (found["rows"], found["components"], found["without_identifier"]) == (45_000, 7_502, 0)
    # 900 cookies and the mail of the kiosk; 7,500 of each in the chain; 7,500 visitors.
    assert found["identifiers"] == 901 + 15_001 + 7_500
    assert found["warnings"] == [
        "2 groups of connected identifiers, the largest with 15,000 of 45,000 events, can't be cut into"
        " pieces of 704: what they need was not bounded; if that is over-stitching, name the shared values"
        " in `invalid:`, or make a key of a column that fewer people share"
    ]
    assert found["skew"] == 21.37


def test_no_warning_without_a_reason() -> None:
    """One bucket can't be uneven, and a small component is replayed at once."""
    assert split(tangled(45_000), 1)["warnings"] == []
    assert split(tangled(12_000), 64)["warnings"] == []


def test_the_remedy() -> None:
    """With the shared mail among the invalid ones, the kiosk's visitors stand apart."""
    frame = tangled(45_000).filter(pl.col("mail") == "kiosk@")
    apart = frame.with_columns(mail=pl.lit("none"))
    assert split(frame, 64)["largest"] == [15_000]
    found = split(apart, 64)
    assert (found["components"], found["skew"], found["warnings"]) == (900, 1.07, [])
