"""The engine's public face, call by call, with exact answers. The laws are in tests/laws."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from reactor import EventError, Reactor

DAY = 86_400


def config(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "version": 1,
        "name": "shop",
        "identity": {
            "lookup_key": "customer",
            "secret": "s",
            "keys": {"client": {"invalid": ["null"]}, "customer": {}, "card": {"internal": True}},
        },
        "key_events": {"view": "pages", "buy": {"table": "orders", "where": "amount > 0"}},
        "attributes": {
            "views": {"type": "counter", "on": "view", "window": "1h"},
            "last_page": {"type": "single", "on": "view", "value": "path", "dtype": "string", "ttl": "1d"},
            "spend": {"type": "total", "on": "buy", "increment": "amount"},
            "tier": {"type": "imported", "dtype": "string", "sensitive": True},
        },
        "segments": {"s1": "newsletter"},
        "personalizations": {
            "home": {
                "sections": {
                    "Hello": {
                        "on": "view",
                        "when": "views >= 2",
                        "payload": {
                            "attributes": {"views": "views", "page": "last_page", "now": "event.path"}
                        },
                    },
                    "Gold": {
                        "when": "tier = 'gold'",
                        "payload": {"attributes": {"tier": "tier"}, "segments": ["s1"]},
                    },
                    "Crossed": {
                        "on": "buy",
                        "when": "spend >= 100 AND before.spend < 100",
                        "payload": {"attributes": {"spend": "spend", "before": "before.spend"}},
                    },
                }
            }
        },
    }
    return {**base, **changes}


def view(time: object = 0, **columns: Any) -> dict[str, Any]:
    return {"client": "c1", "path": "/a", "time": time, **columns}


def test_an_event_is_answered_by_the_profile_it_has_just_changed() -> None:
    engine = Reactor(config())
    first = engine.process(view(0), table="pages")
    second = engine.process(view(5, path="/b"), table="pages")
    hello = {"attributes": {"views": 2, "page": "/b", "now": "/b"}, "batch_segments": None}
    assert {} == first.offers
    assert {"Hello": hello} == second.offers
    assert first.rid == second.rid
    assert second.json() == (
        b'{"offers":{"Hello":{"attributes":{"views":2,"page":"/b","now":"/b"},"batch_segments":null}}}'
    )
    assert second.now is not None
    assert second.now.timestamp() == 5


def test_before_is_the_value_without_the_event() -> None:
    engine = Reactor(config())
    answers = [
        engine.process({"client": "c", "amount": amount, "time": second}, table="orders").offers
        for second, amount in enumerate((60, "39.99", -5, 0.01, 7))
    ]
    crossed = {"attributes": {"spend": 100, "before": 99.99}, "batch_segments": None}
    assert [{}, {}, {}, {"Crossed": crossed}, {}] == answers


def test_a_sensitive_section_is_empty_for_the_public_and_whole_for_the_private() -> None:
    engine = Reactor(config())
    engine.import_batch([{"customer": "7", "tier": "gold", "segments": ["s1", "s9"]}])
    event = view(customer="7")
    whole = {"attributes": {"tier": "gold"}, "batch_segments": [{"id": "s1"}]}
    assert {"Gold": {}} == engine.process(event, table="pages").offers
    assert {"Gold": whole} == engine.evaluate(event, table="pages", audience="private").offers
    assert {"Gold": whole} == engine.offers({"client": "c1"}, audience="private").offers
    with pytest.raises(EventError, match='audience: expected "public" or "private"'):
        engine.process(event, table="pages", audience="all")  # type: ignore[arg-type]


def test_ingest_updates_and_does_not_answer() -> None:
    engine = Reactor(config())
    assert {} == engine.ingest(view(), table="pages").offers
    assert {"Hello"} == set(engine.process(view(1), table="pages").offers)


def test_evaluate_answers_from_what_is_stored_and_changes_nothing() -> None:
    engine = Reactor(config())
    for second in range(2):
        engine.process(view(second), table="pages")
    before = engine.stats(), engine.packed_sizes()
    outcome = engine.evaluate(view(9, customer="new", path="/z"), table="pages")
    hello = {"attributes": {"views": 2, "page": "/a", "now": "/z"}, "batch_segments": None}
    assert {"Hello": hello} == outcome.offers
    assert before == (engine.stats(), engine.packed_sizes())
    assert engine.evaluate(view(client="nobody"), table="pages").rid is None


def test_profiles_that_meet_in_a_read_are_joined_for_the_answer_only() -> None:
    engine = Reactor(config())
    engine.process(view(0), table="pages")
    engine.process({"customer": "7", "path": "/b", "time": 1}, table="pages")
    both = engine.profile({"client": "c1", "customer": "7"})
    alone = engine.profile({"client": "c1"})
    assert both is not None
    assert alone is not None
    assert (2, "/b") == (both.attributes["views"], both.attributes["last_page"])
    assert (1, "/a") == (alone.attributes["views"], alone.attributes["last_page"])
    assert 2 == engine.stats()["profiles"]


def test_a_merged_away_rid_reads_as_the_survivor() -> None:
    engine = Reactor(config())
    old = engine.process(view(0), table="pages").rid
    young = engine.process({"customer": "7", "time": 9}, table="pages").rid
    joined = engine.process(view(10, customer="7"), table="pages")
    assert old == joined.rid
    assert young is not None
    profile = engine.profile(rid=young)
    assert profile is not None
    assert (old, ["7"], 3) == (profile.rid, profile.keys["customer"], profile.attributes["views"])
    assert [young] == joined.id_changes[-1]["merged_rids"]


@pytest.mark.parametrize(
    ("event", "now", "reading", "clamped"),
    [
        ({"time": 100}, None, 100, 0),
        ({"time": 100}, 250, 250, 0),
        ({"time": 100}, 50, 100, 0),  # within the skew: keeps its time, and now is raised to it
        ({"time": 100 + DAY}, 100, 100, 1),  # beyond it: is given now
        ({}, 100, 100, 0),
    ],
)
def test_the_reading_time(event: Mapping[str, Any], now: object, reading: int, clamped: int) -> None:
    engine = Reactor(config())
    outcome = engine.process({"client": "c", **event}, table="pages", now=now)
    assert outcome.now is not None
    assert (reading, clamped) == (outcome.now.timestamp(), engine.stats()["clamped"])


def test_a_profiles_time_does_not_run_backwards() -> None:
    engine = Reactor(config(), clock=lambda: 1_000.0)
    engine.process(view(1_000), table="pages")
    late = engine.process(view(10, path="/late"), table="pages")
    assert late.now is not None
    assert 1_000 == late.now.timestamp()
    profile = engine.profile({"client": "c1"}, now=500)
    assert profile is not None
    assert ("/a", 2, 10) == (
        profile.attributes["last_page"],
        profile.attributes["views"],
        profile.created.timestamp(),
    )
    assert 1 == engine.stats()["late"]


def test_an_event_without_identity_is_answered_and_not_kept() -> None:
    engine = Reactor(config())
    outcome = engine.process({"client": "null", "amount": 100, "time": 0}, table="orders")
    assert (None, ["Crossed"], []) == (outcome.rid, list(outcome.offers), outcome.id_changes)
    assert '"reason":"Value is included in invalid_texts for this key."' in str(outcome.validation_failures)
    assert 0 == engine.stats()["profiles"]


def test_a_table_nobody_names_stitches_and_answers_sections_without_on() -> None:
    engine = Reactor(config())
    engine.import_batch([{"customer": "7", "tier": "gold"}])
    outcome = engine.process({"client": "c1", "customer": "7", "time": 0}, table="elsewhere")
    assert {"Gold": {}} == outcome.offers
    assert {"pages": 0, "orders": 0, "elsewhere": 1} == engine.stats()["events"]
    for number in range(150):
        engine.process(view(), table=f"t{number}")
    assert (103, 51) == (len(engine.stats()["events"]), engine.stats()["events"]["(other)"])


def test_the_table_may_be_left_out_when_there_is_one() -> None:
    one = config(key_events={"view": "pages", "buy": "pages"})
    assert Reactor(one).process(view()).rid is not None
    with pytest.raises(EventError, match="table: expected one of pages, orders, got none"):
        Reactor(config()).process(view())


def test_a_batch_row_joins_identifiers_before_and_after_its_profile() -> None:
    engine = Reactor(config())
    rows = [{"customer": "1", "card": "x", "tier": "a"}, {"customer": "2", "card": "x", "tier": "b"}]
    report = engine.import_batch(rows)
    assert (2, 0, 2) == (report.rows, report.matched, report.waiting)
    rid = engine.process({"customer": "1", "time": 0}, table="pages").rid
    profile = engine.profile({"customer": "2"})
    assert profile is not None
    assert (rid, {"customer": ["1", "2"], "card": ["x"]}) == (profile.rid, profile.keys)
    assert "a" == profile.attributes["tier"], "the lookup value seen last, not the one seen never"
    assert 2 == engine.import_batch(rows).matched


def test_a_batch_row_holds_from_its_time_on() -> None:
    engine = Reactor(config())
    rows = [{"customer": "1", "tier": t, "time": at} for t, at in (("old", 0), ("new", 10), ("late", 20))]
    engine.import_batch(rows)
    engine.process({"customer": "1", "time": 5}, table="pages")
    tiers = []
    for now in (5, 10, 19, 20):
        profile = engine.profile({"customer": "1"}, now=now)
        assert profile is not None
        tiers.append(profile.attributes["tier"])
    assert ["old", "new", "new", "late"] == tiers


def test_what_an_import_reports() -> None:
    rows = [
        {"customer": "1", "tier": [1], "shoe_size": 9},
        {"customer": 2, "tier": "a"},
        {"tier": "b"},
        {"customer": "3", "time": "soon"},
    ]
    report = Reactor(config()).import_batch(rows)
    assert (1, 3, 1) == (report.rows, report.refused, report.undated)
    assert {"customer": 1, "tier": 1, "time": 1} == report.unusable
    assert (("shoe_size",), ()) == (report.ignored, report.missing)


def test_values_that_cannot_be_used_are_counted_and_change_nothing() -> None:
    engine = Reactor(config())
    for path in ("/a", {"x": 1}, "x" * 2_049, "\ud800", None, float("nan")):
        engine.process(view(path=path), table="pages")
    engine.process({"client": "c1", "amount": "a lot", "time": 0}, table="orders")
    profile = engine.profile({"client": "c1"})
    assert profile is not None
    assert ("/a", 6) == (profile.attributes["last_page"], profile.attributes["views"])
    assert {"last_page": 3} == engine.stats()["unusable"]


def test_no_repr_shows_a_value() -> None:
    engine = Reactor(config())
    outcome = engine.process(view(0, client="secret"), table="pages")
    shown = [repr(engine), repr(outcome), repr(outcome.notes), repr(engine.profile({"client": "secret"}))]
    assert not any("secret" in text for text in shown)
    assert "Reactor('shop', 1 profiles)" == shown[0]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda e: e.profile({"cliant": "x"}), 'keys: expected a key of the config (did you mean "client"?)'),
        (lambda e: e.profile({"client": 7}), "keys.client: expected text, got a number"),
        (lambda e: e.offers(), "keys: expected either keys or rid"),
        (
            lambda e: e.offers({}, now="soon"),
            "now: expected epoch seconds or ISO 8601 text, got text of another form",
        ),
        (lambda e: e.import_batch("rows"), "rows: expected rows as mappings, or a table, got text"),
        (lambda e: e.import_batch([7]), "rows[0]: expected a mapping, got a number"),
    ],
)
def test_what_a_call_refuses(call: Any, reason: str) -> None:
    with pytest.raises(EventError) as caught:
        call(Reactor(config()))
    assert reason == str(caught.value)


def test_generated_source_holds_no_text_of_the_config_and_shows_in_tracebacks() -> None:
    engine = Reactor(config())
    source = engine.source()
    for text in ("client", "pages", "views", "Hello", "gold", "path", "newsletter"):
        assert f"'{text}'" not in source
        assert f'"{text}"' not in source

    class Broken(dict[str, Any]):
        def get(self, name: str, default: object = None) -> object:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        engine.process(Broken(view()), table="pages")
    assert "get = event.get" in source
    assert any("get(K" in frame.line for frame in traceback.extract_tb(caught.tb) if frame.line)


def test_any_thread_may_call() -> None:
    engine = Reactor(config())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda second: engine.process(view(second % 60), table="pages"), range(2_000)))
    profile = engine.profile({"client": "c1"})
    assert profile is not None
    assert 2_000 == profile.attributes["views"]
    engine.check()
