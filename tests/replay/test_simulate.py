"""What a replay offers: the order of events, their numbers, tables, and where rows begin and end."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from reactor.engine import Reactor
from reactor.errors import EventError, ReactorError
from reactor.replay import simulate

from .shop import CONFIG, DAY, VIEWS, offered, order, view

# ---- offers


def test_offers_have_a_row_each() -> None:
    run = simulate(CONFIG, VIEWS, table="web.views")
    assert run.offers.schema == {
        "event": pl.Int64,
        "table": pl.String,
        "time": pl.Datetime("ms", "UTC"),
        "rid": pl.String,
        "profile": pl.String,
        "personalization": pl.String,
        "section": pl.String,
        "redacted": pl.Boolean,
        "attributes": pl.String,
        "batch_segments": pl.String,
    }
    rid = Reactor(CONFIG).process(VIEWS[0], "web.views").rid
    assert run.offers.row(0) == (
        0,
        "web.views",
        datetime(1970, 1, 1, tzinfo=UTC),
        rid,
        rid,
        "home",
        "Hello",
        False,
        '{"views":1}',
        "[]",
    )
    assert offered(run) == [(0, "Hello"), (1, "Hello"), (2, "You saw")]


def test_a_redacted_offer_has_nulls() -> None:
    """In the table of all offers, where a payload is JSON text."""
    columns = ["redacted", "attributes", "batch_segments"]
    for audience, expected in (
        ("public", (True, None, None)),
        ("private", (False, '{"page":"/y"}', None)),
    ):
        offers = simulate(CONFIG, VIEWS, table="web.views", audience=audience).offers  # type: ignore[arg-type]
        assert offers.filter(section="You saw")[columns].rows() == [expected]


def test_an_event_of_nobody_has_offers_without_rid() -> None:
    run = simulate(CONFIG, [{"page": "/", "time": 0}], table="web.views")
    assert run.offers["event", "rid", "profile", "section"].rows() == [(0, None, None, "Hello")]
    assert run.summary()["without_identifier"] == 1


def test_profile_is_the_rid_after_the_whole_history() -> None:
    """a, then b, then both: who was b when it was offered something ends as a. Merges in a chain too."""
    events = [
        view("a", 0),
        view("b", 1),
        view("c", 2),
        view("c", 3, email="b@x"),
        view("b", 4, email="b@x"),
        view("a", 5, email="b@x"),
    ]
    offers = simulate(CONFIG, events, table="web.views").section("Hello")
    assert offers["event"].to_list() == [0, 1, 2]
    assert offers["rid"].n_unique() == 3
    assert offers["profile"].to_list() == [offers["rid"][0]] * 3


def test_section_wants_a_name_of_the_config() -> None:
    run = simulate(CONFIG, VIEWS, table="web.views")
    with pytest.raises(ReactorError) as caught:
        run.section("Helo")
    assert str(caught.value) == 'section: the config has no section "Helo" (did you mean "Hello"?)'
    assert run.section("Thanks").height == 0


# ---- order


def test_events_are_sorted_by_time_and_rows_stay_in_input_order() -> None:
    """The later row is the earlier event: it is offered "Hello", and its row still comes second."""
    run = simulate(CONFIG, [view("a", 5), view("a", 4), view("b", 4)], table="web.views")
    assert offered(run) == [(0, "You saw"), (1, "Hello"), (2, "Hello")]
    assert run.attributes["event", "views"].rows() == [(0, 2), (1, 1), (2, 1)]
    assert run.id_changes["event"].to_list() == [1, 2]


def test_ties_stay_in_the_order_given() -> None:
    events = [view("a", 1, f"/{number}") for number in range(20)]
    run = simulate(CONFIG, events, table="web.views")
    assert json.loads(run.attributes["pages.names"][-1]) == [f"/{number}" for number in range(20)]


def test_several_inputs_are_one_history(tmp_path: Path) -> None:
    """Numbers run on over inputs in the order given, bad rows included, headers not."""
    (tmp_path / "views.csv").write_text("cookie,time\na,864000\na,soon\na,0\n")
    (tmp_path / "more.jsonl").write_text(
        '{"cookie": "a", "time": 432000}\nnonsense\n{"cookie": "b", "time": 0}\n'
    )
    orders = pl.DataFrame({"email": ["a@x"], "ordered_at": ["1970-01-02"], "amount": [5.0]})
    run = simulate(
        CONFIG,
        {"web.views": [tmp_path / "views.csv", str(tmp_path / "more.jsonl")], "web.orders": orders},
    )
    assert run.attributes["event", "table", "views"].rows() == [
        (0, "web.views", 2),
        (2, "web.views", 1),
        (3, "web.views", 2),
        (5, "web.views", 1),
        (6, "web.orders", 0),
    ]
    assert run.rejects.rows() == [
        (
            1,
            "web.views",
            f"{tmp_path}/views.csv",
            1,
            "time",
            "expected epoch seconds or ISO 8601 text, got text of another form",
        ),
        (
            4,
            "web.views",
            f"{tmp_path}/more.jsonl",
            1,
            "$",
            "expected a JSON object, got malformed JSON at line 1, column 1",
        ),
    ]
    assert run.rejects.columns == ["event", "table", "file", "row", "path", "reason"]


def test_rows_from_every_kind_of_source(tmp_path: Path) -> None:
    """A file, a frame, mappings and a generator of them give the same."""
    frame = pl.DataFrame(VIEWS)
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_csv(tmp_path / "a.csv")
    frame.write_ndjson(tmp_path / "a.jsonl")
    expected = simulate(CONFIG, VIEWS, table="web.views").offers
    sources = (
        tmp_path / "a.parquet",
        str(tmp_path / "a.csv"),
        [tmp_path / "a.jsonl"],
        frame,
        frame.lazy(),
        frame.to_pandas(),
        frame.to_arrow(),
        (event for event in VIEWS),
        [json.dumps(event).encode() for event in VIEWS],
    )
    for source in sources:
        assert simulate(CONFIG, source, table="web.views").offers.equals(expected)  # type: ignore[arg-type]


# ---- tables


def test_the_table_may_be_named_by_a_column() -> None:
    events = [
        view("a", 0, what="web.views"),
        order("a@x", 0, 5, what="web.orders"),
        view("a", 1),
        view("a", 1, what=7),
        view("a", 2, what="web.other"),
    ]
    run = simulate(CONFIG, events, table_column="what")
    assert run.attributes["event", "table"].rows() == [(0, "web.views"), (1, "web.orders"), (4, "web.other")]
    assert run.rejects["event", "table", "path", "reason"].rows() == [
        (2, None, "what", "expected the name of a table"),
        (3, None, "what", "expected the name of a table"),
    ]
    assert run.summary()["warnings"] == [
        'no key event names the table "web.other" (did you mean "web.orders"?)'
    ]


def test_a_table_is_needed_where_the_config_has_several() -> None:
    with pytest.raises(ReactorError) as caught:
        simulate(CONFIG, VIEWS)
    assert str(caught.value) == (
        "table: the config has several (web.views, web.orders): name the one the events are of,"
        " or the column that names it (table_column)"
    )
    with pytest.raises(ReactorError, match=r"^table, table_column: expected one of them, got both$"):
        simulate(CONFIG, VIEWS, table="web.views", table_column="what")


def test_the_only_table_need_not_be_named() -> None:
    config = {name: value for name, value in CONFIG.items() if name in ("version", "name", "identity")}
    config |= {"key_events": {"view": "web.views"}, "personalizations": {}}
    assert simulate(config, VIEWS).summary()["tables"] == {"web.views": 3}


def test_a_missing_column_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("cookie,tme\na,0\n")
    with pytest.raises(EventError) as caught:
        simulate(CONFIG, path, table="web.views")
    assert str(caught.value) == f'{path}: expected a column "time", got none (did you mean "tme"?)'
    with pytest.raises(EventError, match=r'expected a column "what", got none \(its columns: cookie, tme\)$'):
        simulate(CONFIG, path, table_column="what")


def test_whole_numbers_of_any_width_are_times() -> None:
    """A narrow column is compared with the greatest time there is, which it can't hold."""
    for dtype in (pl.Int8, pl.Int32, pl.UInt64):
        frame = pl.DataFrame(
            {"time": pl.Series([-1, 5, 7], dtype=pl.Int64).clip(0).cast(dtype), "page": "/a"}
        )
        assert simulate(CONFIG, frame, table="web.views").summary()["events"] == 3


def test_another_time_column() -> None:
    events = [{"cookie": "a", "seen": 2 * DAY, "time": 0}, {"cookie": "a", "seen": DAY, "time": 5}]
    run = simulate(CONFIG, events, table="web.views", time="seen")
    assert offered(run) == [(0, "You saw"), (1, "Hello")]


def test_a_made_time_column() -> None:
    config = {**CONFIG, "tables": {"web.views": {"columns": {"time": "day * 86400"}}}}
    events = pl.DataFrame({"cookie": ["a", "a"], "day": [2, 1]})
    assert offered(simulate(config, events, table="web.views")) == [(0, "You saw"), (1, "Hello")]


# ---- since, until, limit


def test_since_builds_state_without_rows() -> None:
    run = simulate(CONFIG, VIEWS, table="web.views", since="1970-01-02")
    assert offered(run) == [(1, "Hello"), (2, "You saw")]
    assert run.attributes["event", "views"].rows() == [(1, 1), (2, 2)]
    assert run.id_changes["event"].to_list() == [1]
    summary = run.summary()
    assert (summary["events"], summary["before_since"]) == (3, 1)


def test_until_is_not_read() -> None:
    """Neither the event at that very time nor what would be wrong with it."""
    events = [*VIEWS, {"cookie": "a", "page": "/", "time": 2 * DAY}]
    run = simulate(CONFIG, events, table="web.views", until=2 * DAY)
    assert offered(run) == [(0, "Hello"), (1, "Hello")]
    summary = run.summary()
    assert (summary["rows"], summary["events"], summary["left_out"]) == (4, 2, 2)
    assert summary["last"] == "1970-01-02T00:00:00.000Z"


def test_limit_keeps_the_first_after_sorting() -> None:
    run = simulate(CONFIG, [view("a", 9), view("a", 1), view("a", 5)], table="web.views", limit=2)
    assert offered(run) == [(1, "Hello"), (2, "You saw")]
    assert simulate(CONFIG, VIEWS, table="web.views", limit=0).summary()["events"] == 0
