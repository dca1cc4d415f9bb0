"""Bad rows, batch rows and the summary of a replay; arguments that do not fit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from reactor.engine import Reactor
from reactor.errors import EventError, ReactorError
from reactor.replay import BadRowError, Options, options, simulate

from .shop import CONFIG, DAY, VIEWS, offered, order, view

# ---- bad rows


def test_a_bad_row_stops_nothing_and_harms_no_other() -> None:
    events = [
        view("a", 0),
        {"cookie": "a"},
        {"cookie": "a", "time": 1_700_000_000_000},
        [1, 2],
        view("a", 1),
    ]
    run = simulate(CONFIG, events, table="web.views")  # type: ignore[arg-type]
    assert offered(run) == [(0, "Hello"), (4, "You saw")]
    assert run.rejects["event", "path"].rows() == [(1, "time"), (2, "time"), (3, "$")]
    assert run.summary()["rejected"] == 3
    assert run.summary()["rejects"][2] == {
        "path": "$",
        "reason": "expected an object, got a list",
        "rows": 1,
        "first": [3],
    }


def test_strict_ends_at_the_first_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"cookie": "a", "time": 0}\n{"cookie": "a", "time": "a secret"}\n{}\n')
    with pytest.raises(BadRowError) as caught:
        simulate(CONFIG, path, table="web.views", strict=True)
    assert str(caught.value) == (
        f"{path}, event 1: time: expected epoch seconds or ISO 8601 text, got text of another form"
    )
    assert isinstance(caught.value, EventError)
    assert (caught.value.event, caught.value.file) == (1, str(path))
    assert caught.value.__context__ is None


def test_what_only_the_engine_refuses_is_a_bad_row_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event whose time is fine may still be refused; the next ones are processed."""
    process = Reactor.process

    def refusing(self: Reactor, event: Any, *args: Any, **named: Any) -> Any:
        if event["page"] == "/no":
            raise EventError("$", "expected something else")
        return process(self, event, *args, **named)

    monkeypatch.setattr(Reactor, "process", refusing)
    events = [view("a", 1), view("a", 2, "/no"), view("a", 3)]
    run = simulate(CONFIG, events, table="web.views", engine="live")
    assert offered(run) == [(0, "Hello"), (2, "You saw")]
    assert run.rejects.rows() == [(1, "web.views", "events", 1, "$", "expected something else")]
    with pytest.raises(BadRowError, match=r"^events, event 1: \$: expected something else$"):
        simulate(CONFIG, events, table="web.views", strict=True, engine="live")


# ---- batch


def test_batch_rows_are_loaded_first(tmp_path: Path) -> None:
    path = tmp_path / "batch.csv"
    path.write_text("email,tier,segments\na@x,gold,7\nb@x\n")
    run = simulate(CONFIG, [view("a", 0, email="a@x")], table="web.views", batch=path)
    assert run.offers["batch_segments"].to_list() == ['[{"id":"7"}]']
    assert run.rejects.rows() == [
        (None, None, str(path), 1, "$", "expected 3 fields, as in the header, got 1")
    ]
    summary = run.summary()
    assert summary["batch"]["rows"] == 1
    assert summary["rejects"] == [
        {"path": "batch: $", "reason": "expected 3 fields, as in the header, got 1", "rows": 1, "first": []}
    ]
    assert summary["warnings"] == [
        "the batch rows without a `time`: values of today were used for the whole history"
    ]
    with pytest.raises(BadRowError, match=r"batch\.csv: \$: expected 3 fields"):
        simulate(CONFIG, VIEWS, table="web.views", batch=path, strict=True)


def test_batch_rows_with_a_time_are_not_read_early() -> None:
    batch = [{"email": "a@x", "tier": "gold", "time": DAY}]
    events = [order("a@x", day, 5) for day in (0, 1, 2)]
    run = simulate(CONFIG, events, table="web.orders", batch=batch)
    assert run.section("Thanks")["tier"].to_list() == [None, "gold", "gold"]
    assert run.summary()["warnings"] == []


def test_integer_keys_of_batch_tables_become_text() -> None:
    batch = pl.DataFrame({"email": [12346], "tier": ["gold"]})
    run = simulate(CONFIG, [order("12346", 1, 5)], table="web.orders", batch=batch)
    assert run.section("Thanks")["tier"].to_list() == ["gold"]


# ---- summary


def test_summary() -> None:
    events = [*VIEWS, {"cookie": 5, "time": 0}, {"cookie": "a"}]
    summary = simulate(CONFIG, events, table="web.views").summary()
    assert json.loads(json.dumps(summary)) == summary
    assert summary == {
        "config": "shop",
        "engine": "columnar",
        "audience": "public",
        "rows": 5,
        "events": 4,
        "before_since": 0,
        "left_out": 0,
        "rejected": 1,
        "first": "1970-01-01T00:00:00.000Z",
        "last": "1970-01-03T00:00:00.000Z",
        "tables": {"web.views": 4},
        "profiles": 2,
        "without_identifier": 1,
        "validation_failures": [{"key": "cookie", "reason": "Value is not a string.", "events": 1}],
        "offers": 4,
        "redacted": 1,
        "sections": [
            {"personalization": "home", "section": "Hello", "offers": 3, "redacted": 0, "profiles": 2},
            {"personalization": "home", "section": "You saw", "offers": 1, "redacted": 1, "profiles": 1},
            {"personalization": "desk", "section": "Thanks", "offers": 0, "redacted": 0, "profiles": 0},
            {"personalization": "desk", "section": "Big", "offers": 0, "redacted": 0, "profiles": 0},
        ],
        "batch": None,
        "rejects": [
            {
                "path": "time",
                "reason": "expected a time, got none, and no `now` was given",
                "rows": 1,
                "first": [4],
            }
        ],
        "fallback": {"events": 0, "components": 0, "reasons": {}},
        "warnings": [],
    }


def test_the_summary_counts_what_batch_rows_could_not_be_loaded() -> None:
    batch = [{"email": "a@x", "tier": "gold", "time": 0}, {"tier": "gold"}]
    report = simulate(CONFIG, VIEWS, table="web.views", batch=batch).summary()["batch"]
    assert (report["rows"], report["refused"], report["missing"]) == (1, 1, ["since", "tags"])


@pytest.mark.parametrize(
    ("events", "warning"),
    [
        (
            pl.DataFrame({"Cookie": ["a", "b"], "time": [0, 1]}),
            'no column is named "cookie" (did you mean "Cookie"?), "email"',
        ),
        ([{"cookie": 1, "time": 0}, {"cookie": 2, "time": 0}], "cookie: Value is not a string. (2 times)"),
        ([{"page": "/", "time": 0}, {"page": "/", "time": 0}], "the stitching keys are cookie, email"),
    ],
)
def test_the_summary_says_when_most_events_are_of_nobody(events: Any, warning: str) -> None:
    run = simulate(CONFIG, events, table="web.views")
    assert run.summary()["warnings"] == [
        f"2 of 2 events carry no usable identifier: they belong to no profile, and build none; {warning}"
    ]


def test_half_of_the_events_of_nobody_is_no_warning() -> None:
    events = [view("a", 0), {"page": "/", "time": 0}]
    assert simulate(CONFIG, events, table="web.views").summary()["warnings"] == []


def test_a_history_without_events() -> None:
    run = simulate(CONFIG, [], table="web.views")
    assert run.offers.height == 0
    assert run.attributes.height == 0
    assert run.profiles().height == 0
    assert (run.summary()["first"], run.summary()["last"]) == (None, None)


# ---- arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"engine": "fast"}, "engine: expected one of auto, live, columnar, got something else"),
        ({"audience": "all"}, 'audience: expected "public" or "private", got something else'),
        ({"limit": -1}, "limit: expected a number of events, got something else"),
        ({"since": "soon"}, "since: expected epoch seconds or ISO 8601 text, got text of another form"),
        ({"until": "soon"}, "until: expected epoch seconds or ISO 8601 text, got text of another form"),
    ],
)
def test_arguments_that_do_not_fit(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ReactorError) as caught:
        simulate(CONFIG, VIEWS, table="web.views", **arguments)
    assert str(caught.value) == message


def test_the_live_engine_may_be_named() -> None:
    auto = simulate(CONFIG, VIEWS, table="web.views")
    assert simulate(CONFIG, VIEWS, table="web.views", engine="live").offers.equals(auto.offers)


def test_options_are_checked_and_in_ms() -> None:
    chosen = options(since="1970-01-02", limit=3)
    assert chosen == Options(since_ms=DAY * 1000, limit=3)


def test_no_repr_shows_a_value() -> None:
    run = simulate(CONFIG, [view("secret", 0, email="secret@x")], table="web.views")
    assert repr(run) == "Run(1 events, 1 offers)"


def test_without_the_extra_it_says_what_to_install() -> None:
    """And importing does without."""
    code = (
        "import sys; sys.modules['polars'] = None\n"
        "from reactor.replay import simulate\n"
        "from reactor.errors import ReactorError\n"
        "try: simulate({}, [])\n"
        "except ReactorError as error: print(error, 'numpy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == 'a replay needs polars: pip install "reactor-engine[replay]" False\n'
