"""What is wrong with an input is said clearly, and the same by both engines."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from reactor.errors import ReactorError
from reactor.replay import simulate

from .shop import CONFIG, DAY

VIEW = {"cookie": "a", "page": "/1", "time": DAY}
FRAME = pl.DataFrame({"cookie": ["a", "b"], "page": ["/1", "/2"], "time": [DAY, 2 * DAY]})


def outcome(events: Any, engine: str, **chosen: Any) -> tuple[Any, ...]:
    """Return the rows of a replay, or its error."""
    try:
        run = simulate(CONFIG, events, table="web.views", engine=engine, **chosen)  # type: ignore[arg-type]
    except ReactorError as error:
        assert error.__context__ is None
        return type(error), str(error)
    summary = {name: value for name, value in run.summary().items() if name not in ("engine", "fallback")}
    return run.offers.rows(), run.rejects.rows(), run.attributes.rows(), summary


def same(events: Any, **chosen: Any) -> tuple[Any, ...]:
    """Return what both engines make of an input."""
    live, columnar = (outcome(events, engine, **chosen) for engine in ("live", "columnar"))
    assert live == columnar
    return live


def test_missing_columns() -> None:
    """Keys that are missing make a warning; the time makes an error, as nothing can be replayed."""
    *_, summary = same(FRAME.drop("cookie"))
    assert summary["without_identifier"] == 2
    assert 'no column is named "cookie"' in summary["warnings"][0]
    kind, message = same(FRAME.drop("time"))
    assert (kind.__name__, message.split(" (")[0]) == (
        "EventError",
        'events: expected a column "time", got none',
    )


def test_mixed_types_in_a_column() -> None:
    """1, True, "1" and a list are four values; an object and a null are none; identifiers are text."""
    odd: list[Any] = [1, True, "1", 1.0, [1], {"x": 1}, None, float("nan"), 2**70, "\ud800"]
    events = [{**VIEW, "page": page, "time": DAY + at} for at, page in enumerate(odd)]
    events += [{**VIEW, "cookie": value, "time": 2 * DAY + at} for at, value in enumerate(odd)]
    _, _, rows, summary = same(events)
    assert len(rows) == len(events)
    assert {each["key"] for each in summary["validation_failures"]} == {"cookie"}


@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_time_zones(zone: str | None) -> None:
    """Datetimes with a zone are the moments they are; without one they are in the table's."""
    moment = datetime(2024, 11, 3, 1, 30, tzinfo=ZoneInfo(zone) if zone else None)
    frame = pl.DataFrame({"cookie": ["a"], "page": ["/1"], "time": [moment]})
    summary = same(frame)[-1]
    expected = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    assert summary["first"] == expected.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_bad_times_are_rows_that_are_none() -> None:
    """Whatever the type of the column: each row that has no time is reported by its number."""
    whole = pl.DataFrame({"cookie": ["a"] * 4, "time": [DAY, -1, None, DAY * 10**9]})
    assert [row[0] for row in same(whole)[1]] == [1, 2, 3]
    text = pl.DataFrame({"cookie": ["a"] * 9, "time": ["2024-01-01"] * 6 + ["soon", None, "1e3"]})
    assert [row[0] for row in same(text)[1]] == [6, 7, 8]
    strict = same(text, strict=True)
    assert strict[1].startswith("events, event 6: time: expected epoch seconds or ISO 8601 text")


def zipped(path: Path) -> None:
    """Write a compressed file."""
    path.write_bytes(gzip.compress(b"cookie,time\n" * 99))


FILES: dict[str, Callable[[Path], object]] = {
    "empty.csv": lambda path: path.write_bytes(b""),
    "header.csv": lambda path: path.write_bytes(b"cookie,page,time\n"),
    "empty.jsonl": lambda path: path.write_bytes(b""),
    "array.json": lambda path: path.write_bytes(b"[]"),
    "rows.parquet": lambda path: FRAME.clear().write_parquet(path),
    "cut.parquet": lambda path: cut(path, FRAME.write_parquet),
    "cut.csv.gz": lambda path: cut(path, zipped),
    "text.parquet": lambda path: path.write_bytes(b"cookie,page,time\n"),
}


def cut(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file without its end."""
    write(path)
    path.write_bytes(path.read_bytes()[:-12])


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_empty_or_damaged(tmp_path: Path, name: str) -> None:
    """No rows are no error; a part of a file is one, which names the file."""
    path = tmp_path / name
    FILES[name](path)
    found = same(path)
    if name.startswith(("cut", "text")) or name == "empty.csv":
        assert found[1].startswith(f"{path}: expected ")
    else:
        assert found[-1]["events"] == 0


def test_ten_thousand_columns() -> None:
    """Columns that nothing reads cost nothing but their reading."""
    wide = FRAME.with_columns(pl.lit(number).alias(f"c{number}") for number in range(10_000))
    assert same(wide)[:1] == same(FRAME)[:1]


@pytest.mark.parametrize("name", ["class", "for", "None", "event", "now", "v0", "a b", "", "Cookie"])
def test_columns_named_like_keywords(name: str) -> None:
    """A name is a name."""
    assert len(same(FRAME.with_columns(pl.lit("x").alias(name)))[0]) == 2
