"""What holds for every history: a replay is the engine in order of time; its cuts are cuts of its rows."""

from __future__ import annotations

import json

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.engine import Reactor
from reactor.replay import Options, Replay, Results, simulate

from .shop import CONFIG, DAY

Event = dict[str, object]

VIEW = st.fixed_dictionaries(
    {"table": st.just("web.views"), "time": st.integers(0, 9).map(lambda day: day * DAY)},
    optional={
        "cookie": st.sampled_from("abc"),
        "email": st.sampled_from("xy"),
        "page": st.sampled_from(["/1", "/2"]),
    },
)
ORDER = st.fixed_dictionaries(
    {
        "table": st.just("web.orders"),
        "ordered_at": st.integers(0, 9).map(lambda day: day * DAY),
        "amount": st.integers(1, 150),
    },
    optional={"cookie": st.sampled_from("abc"), "email": st.sampled_from("xy")},
)
BAD = st.just({"table": "web.views", "time": "soon"})
EVENTS = st.lists(VIEW | ORDER | BAD, max_size=25)


def time_of(event: Event) -> int | None:
    """Return an event's time in seconds; None for a bad one."""
    time = event.get("time", event.get("ordered_at"))
    return time if isinstance(time, int) else None


def replayed(events: list[Event], **chosen: object) -> Results:
    """Replay with every table of results."""
    options = Options(table_column="table", audience="private", **chosen)  # type: ignore[arg-type]
    return Replay(CONFIG, events, options).run(attributes=True)


@given(EVENTS)
@settings(max_examples=60)
def test_a_replay_is_the_engine_in_order_of_time(events: list[Event]) -> None:
    """Offers, rids and values, event by event. Would catch a wrong order, number, table or time."""
    results = replayed(events)
    engine = Reactor(CONFIG)
    offers, values = {}, {}
    known = [number for number, event in enumerate(events) if time_of(event) is not None]
    for number in sorted(known, key=lambda number: (time_of(events[number]), number)):
        outcome, parts = engine.process_row(events[number], str(events[number]["table"]), audience="private")
        for section, offer in outcome.offers.items():
            offers[number, section] = (outcome.rid, json.dumps(offer["attributes"], separators=(",", ":")))
        values[number] = (outcome.rid, parts[0], parts[2])
    rows = results.offers["event", "section", "rid", "attributes"].iter_rows()
    assert {(event, section): (rid, text) for event, section, rid, text in rows} == offers
    assert results.offers["event"].is_sorted()
    assert results.attributes is not None
    shown = results.attributes["event", "rid", "views", "spend"].rows()
    assert shown == [(number, *values[number]) for number in known]
    assert results.rejects["event"].to_list() == [n for n in range(len(events)) if n not in known]
    final = {engine.profile(rid=rid).rid for rid in results.offers["rid"].drop_nulls()}  # type: ignore[union-attr]
    assert set(results.offers["profile"].drop_nulls()) == final


@given(EVENTS, st.integers(0, 10).map(lambda day: day * DAY))
@settings(max_examples=40)
def test_since_cuts_rows_and_nothing_else(events: list[Event], since: int) -> None:
    """The rows from then on are those of the whole replay: state is built all the same."""
    whole, cut = replayed(events), replayed(events, since_ms=since * 1000)
    late = pl.col("time").dt.epoch("s") >= since
    assert cut.offers.equals(whole.offers.filter(late))
    assert cut.attributes is not None
    assert whole.attributes is not None
    assert cut.attributes.equals(whole.attributes.filter(late))


@given(EVENTS, st.integers(0, 10).map(lambda day: day * DAY))
@settings(max_examples=40)
def test_until_is_a_replay_of_what_came_before(events: list[Event], until: int) -> None:
    """Nothing after it has a part in what was answered before it."""
    cut = replayed(events, until_ms=until * 1000)
    kept = [event if (time_of(event) or 0) < until else {"table": "web.views"} for event in events]
    before = replayed(kept)
    assert cut.offers.equals(before.offers)
    assert cut.id_changes.equals(before.id_changes)


@given(EVENTS, st.integers(0, 10).map(lambda day: day * DAY))
@settings(max_examples=25)
def test_profiles_of_a_day_do_not_look_ahead(events: list[Event], day: int) -> None:
    """The profiles at a time are those of a history that ends with it."""
    run = simulate(CONFIG, events, table_column="table")
    ended = [event for event in events if (time_of(event) or 0) <= day]
    assert run.profiles(at=day).equals(simulate(CONFIG, ended, table_column="table").profiles(at=day))
