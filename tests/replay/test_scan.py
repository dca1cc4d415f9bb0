"""The first look by columns sees what the engine's door sees, row by row."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor import EventError, Reactor
from reactor.frames import BadRow, rows_of
from reactor.frames.rows import FrameRows
from reactor.replay import Options
from reactor.replay.components import code_of
from reactor.replay.history import Input
from reactor.replay.scan import Scanner
from reactor.spec import Config, load_config

from . import parity
from .pieces import BAD, JOINING, ORDER, VIEW

MIXED = Options(table_column="table")


def by_rows(config: Config, each: Input) -> tuple[list[Any], set[int], set[tuple[int, int]]]:
    """Return (time, first code) or what is wrong with each row; the first codes; the pairs seen together."""
    engine = Reactor(config)
    found: list[Any] = []
    firsts: set[int] = set()
    pairs: set[tuple[int, int]] = set()
    for row in each.rows.take(range(len(each.rows))):
        if isinstance(row, BadRow):
            found.append(row)
            continue
        table = each.table or row.get("table")
        if not isinstance(table, str) or not table:
            found.append(BadRow("table", "expected the name of a table"))
            continue
        try:
            time_ms = engine.event_time(row, table)
        except EventError as error:
            found.append(BadRow(error.path, error.reason))
            continue
        codes = [code_of(*identifier) for identifier in engine.identifiers(row, table)]
        found.append((time_ms, codes[0] if codes else 0))
        firsts.update(codes[:1])
        pairs.update((codes[0], other) for other in codes[1:])
    return found, firsts, pairs


def by_columns(config: Config, each: Input, options: Options) -> Any:
    """As `by_rows`, by a scanner."""
    scanner = Scanner(config, options)
    times, codes, bad = scanner.scan(each)
    found: list[Any] = list(zip(times.tolist(), codes.tolist(), strict=True))
    for number, _, row in bad:
        assert found[number - each.start] == (-1, 0)
        found[number - each.start] = row
    identifiers = scanner.identifiers
    return found, set(identifiers.firsts.tolist()), set(map(tuple, identifiers.links.tolist()))


def source(rows: Any, table: str | None = None) -> Input:
    """Return rows as an input of a history."""
    return Input("events", table, rows_of(rows, keys=("cookie", "email"), most_bytes=1_000_000), 0)


@pytest.mark.parametrize("number", range(20))
@pytest.mark.parametrize("is_json", [False, True])
def test_drawn_configs(number: int, is_json: bool) -> None:
    """Made keys, rules for identifiers, zones, junk. Would catch a value read in another way."""
    case = parity.draw(Random(f"scan/{number}"))
    config = load_config(case.config)
    for history in case.histories:
        events: list[Any] = history.events
        if is_json:
            events = [msgspec.json.encode(event) for event in events if is_plain(event)]
        each = source(events)
        assert by_rows(config, each) == by_columns(config, each, MIXED)


def is_plain(event: dict[str, object]) -> bool:
    """Tell whether an event can be written as JSON."""
    try:
        msgspec.json.encode(event)
    except (TypeError, ValueError, msgspec.MsgspecError):
        return False
    return True


@given(st.lists(VIEW | ORDER | BAD, max_size=25))
@settings(max_examples=30)
def test_tables_in_one_frame(events: list[Any]) -> None:
    """A column names each row's table, or holds none; times and keys are read at once."""
    rows = [{name: as_text(value) for name, value in event.items()} for event in events]
    schema = dict.fromkeys(("table", "time", "ordered_at", "cookie", "mail", "page"), pl.String)
    frame = pl.DataFrame(rows, schema_overrides=schema) if rows else pl.DataFrame(schema=schema)
    config = load_config(JOINING)
    each = source(frame)
    assert by_rows(config, each) == by_columns(config, each, MIXED)


def as_text(value: object) -> str:
    """Return a value as a CSV file would hold it; times in another form now and then."""
    return (
        f"1970-01-{1 + value // 86_400:02}" if isinstance(value, int) and value // 86_400 % 2 else str(value)
    )


@given(st.lists(VIEW, max_size=12), st.sampled_from([pl.Int64, pl.Float64, pl.String]))
@settings(max_examples=30)
def test_one_table_with_rows_that_are_none(events: list[Any], dtype: Any) -> None:
    """Times of any type; a bad row has nulls in its place. Would catch a row that is read all the same."""
    names = ("time", "cookie", "mail")
    columns = {name: [event.get(name) for event in events] for name in names}
    frame = pl.DataFrame(
        {name: pl.Series(values, strict=False, dtype=pl.String) for name, values in columns.items()}
    ).with_columns(pl.col("time").cast(dtype))
    bad = {number: BadRow("$", "torn") for number in range(0, frame.height, 3)}
    nulls = pl.int_range(pl.len()) % 3 == 0
    frame = frame.with_columns(pl.when(~nulls).then(pl.col(name)).alias(name) for name in names)
    each = Input("events", "web.views", FrameRows(frame, bad), 5)
    config = load_config(JOINING)
    assert by_rows(config, each) == by_columns(config, each, Options(table="web.views"))


def test_what_waits_is_put_among_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many pieces give what one does. Would catch a pair that is lost when arrays are joined."""
    config = load_config(JOINING)
    events = [{"time": n, "cookie": f"c{n % 7}", "mail": f"{n % 5}@"} for n in range(200)]
    _, firsts, links = by_rows(config, source(events, "web.views"))
    monkeypatch.setattr("reactor.replay.scan._WAITING", 10)
    scanner = Scanner(config, Options(table="web.views"))
    for start in range(0, 200, 9):
        scanner.scan(source(events[start : start + 9], "web.views"))
    assert set(scanner.identifiers.firsts.tolist()) == firsts
    assert list(map(tuple, scanner.identifiers.links.tolist())) == sorted(links)
