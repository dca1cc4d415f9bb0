"""State under another config: what is kept, what starts anew, what the report says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from shop import DAY, ROWS, START, attributes, config, events, filled

from reactor import ConfigError, Reactor, ReloadReport

Move = Callable[[Reactor, dict[str, Any]], tuple[Reactor, ReloadReport]]


def in_place(engine: Reactor, new: dict[str, Any]) -> tuple[Reactor, ReloadReport]:
    """Reload an engine."""
    return engine, engine.reload(new)


@pytest.fixture(params=["reload", "load"])
def move(request: pytest.FixtureRequest, tmp_path: Path) -> Move:
    """Both ways to another config: in place, and by a snapshot."""
    if request.param == "reload":
        return in_place

    def by_file(engine: Reactor, new: dict[str, Any]) -> tuple[Reactor, ReloadReport]:
        engine.snapshot(tmp_path / "state")
        fresh = Reactor(new, state=tmp_path / "state")
        assert fresh.loaded is not None
        return fresh, fresh.loaded

    return by_file


def views(engine: Reactor, *names: str) -> dict[str, list[Any]]:
    """Return rid → the values of parts, just after the profile's newest event."""
    found = {}
    for rid in engine.rids():
        view = engine.profile(rid=rid)
        assert view is not None
        found[rid] = [view.created, view.last_seen, view.keys, *(view.attributes[name] for name in names)]
    return found


def names(changes: tuple[Any, ...]) -> list[str]:
    """Return the names of what a report lists."""
    return [each.name for each in changes]


ALL = ("last", "seen.all", "seen.top", "visits", "visits.hour", "spend", "ever", "tier")


def test_other_sections_keep_everything(move: Move) -> None:
    """A config that differs in sections, windows' names and limits of time keeps all values."""
    before = views(filled(), *ALL)
    new = config(
        description="Another text",
        personalizations={"home": {"sections": {"Hello": {"payload": {"attributes": {"v": "visits"}}}}}},
    )
    engine, report = move(filled(), new)
    engine.check()
    assert views(engine, *ALL) == before
    assert names(report.kept) == ["last", "seen", "visits", "spend", "ever", "tier"]
    assert (report.reset, report.added, report.dropped) == ((), (), ())
    assert engine.stats() == filled().stats()


def test_kept_reset_added_and_dropped(move: Move) -> None:
    """One of each, with its reason."""
    changed = attributes(
        spend={"type": "total", "on": "order", "increment": "amount * 2", "discard": "60d"},
        ever={"type": "counter", "on": "order", "increment": "amount", "window": "1d"},
        fresh={"type": "single", "on": "view", "value": "price", "dtype": "number"},
        tier={"type": "imported", "dtype": "boolean"},
    )
    del changed["last"]
    engine, report = move(filled(), config(attributes=changed))
    assert [(each.name, each.reason) for each in report.kept] == [
        ("seen", "means the same"),
        ("visits", "means the same"),
    ]
    assert [(each.name, each.reason) for each in report.reset] == [
        ("spend", "another increment"),
        ("ever", "it was a total"),
        ("tier", "another column or type: missing until rows are loaded"),
    ]
    assert [(each.name, each.reason) for each in report.added] == [("fresh", "not in the former config")]
    assert [(each.name, each.reason) for each in report.dropped] == [("last", "no longer in the config")]
    kept = ("seen.all", "seen.top", "visits", "visits.hour")
    assert views(engine, *kept) == views(filled(), *kept)
    assert {tuple(parts[3:]) for parts in views(engine, "spend", "ever", "fresh", "tier").values()} == {
        (0, 0, None, None)
    }
    engine.check()


def test_a_rename_keeps_the_state(move: Move) -> None:
    """`was` names the former attribute; its counts go with it."""
    changed = attributes()
    changed["views"] = {**changed.pop("visits"), "was": "visits"}
    engine, report = move(filled(), config(attributes=changed))
    assert [(each.name, each.was) for each in report.kept if each.was] == [("views", "visits")]
    old = [parts[3:] for parts in views(filled(), "visits", "visits.hour").values()]
    assert [parts[3:] for parts in views(engine, "views", "views.hour").values()] == old
    again, second = move(engine, config(attributes=changed, segments={"s9": "other"}))
    assert [each.was for each in second.kept] == [None] * 6
    assert views(again, "views") == views(engine, "views")


def test_spaces_in_an_expression_mean_nothing(move: Move) -> None:
    """Only what an expression says is its meaning, not how it is laid out."""
    key_events = {**config()["key_events"], "order": {"table": "shop", "where": "amount   >  0"}}
    _, report = move(filled(), config(key_events=key_events, segments={"s9": "other"}))
    assert report.reset == ()


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("on", {"on": "order"}),
        ("on", {"on": {"view": "price > 1"}}),
        ("increment", {"increment": "price"}),
        ("decimals", {"increment": "price", "decimals": 2}),
        ("pane", {"pane": "10m"}),
    ],
)
def test_what_a_counter_means(move: Move, name: str, changed: dict[str, Any]) -> None:
    """Another key event, increment, scale or pane is another counter."""
    visits = {**attributes()["visits"], **changed}
    if name == "pane" and "pane" in changed:
        del visits["sub_windows"]
    engine, report = move(filled(), config(attributes=attributes(visits=visits)))
    assert names(report.reset) == ["visits"]
    assert name in report.reset[0].reason
    assert all(parts[-1] == 0 for parts in views(engine, "visits").values())


def test_a_made_column_is_part_of_the_meaning(move: Move) -> None:
    """An expression over a column that is made in another way counts something else."""
    tables = {"shop": {"columns": {"amount": "net * 1.2"}}}
    engine = filled(tables={"shop": {"columns": {"amount": "net + vat"}}})
    _, report = move(engine, config(tables=tables))
    assert names(report.reset) == ["seen", "spend", "ever"]


def visits_of(engine: Reactor, part: str, now: int) -> float:
    """Return a part of the profile of cookie 1 at a time."""
    view = engine.profile({"cookie": "1"}, now=now)
    assert view is not None
    return view.attributes[part]


def test_a_new_sub_window_says_since_when_it_is_complete(move: Move) -> None:
    """What was retained answers it; from the time in the report on it misses nothing.

    events  x x x x x x . . . | reload          an event every ten minutes
    old     |--- 7d in hours, 1h in minutes
    new     12h in minutes: eleven hours of minutes are missing at the reload
    """
    engine = Reactor(config())
    for number in range(100):
        engine.process({"cookie": "1", "time": START + number * 600}, "web")
    newest = START + 99 * 600
    visits = {**attributes()["visits"], "sub_windows": {"hour": "1h", "half": "12h"}}
    new, report = move(engine, config(attributes=attributes(visits=visits)))
    (change,) = [each for each in report.kept if each.name == "visits"]
    complete = newest + 11 * 3600
    assert change.complete_from == {"visits.half": datetime.fromtimestamp(complete, UTC)}
    assert visits_of(new, "visits", newest) == 100
    assert 60 <= visits_of(new, "visits.half", newest) <= 73
    for number in range(100, 200):
        new.process({"cookie": "1", "time": START + number * 600}, "web")
    assert visits_of(new, "visits.half", complete) == 73
    assert visits_of(new, "visits.half", START + 199 * 600) == 73
    new.check()


def test_a_shorter_window_is_complete_at_once(move: Move) -> None:
    """Panes that are retained anyway answer a window within them."""
    visits = {**attributes()["visits"], "sub_windows": {"hour": "1h", "lately": "10m", "days": "3d"}}
    engine, report = move(filled(), config(attributes=attributes(visits=visits)))
    # A window written in minutes has panes of seconds, which were not retained.
    (change,) = [each for each in report.kept if each.name == "visits"]
    assert list(change.complete_from) == ["visits.lately"]
    old = views(filled(), "visits", "visits.hour")
    assert views(engine, "visits", "visits.hour") == old
    engine.check()


def test_a_coarser_ring_keeps_its_sums(move: Move) -> None:
    """Without the sub-window of an hour, minutes are folded to the hours that a week needs."""
    visits = {"type": "counter", "on": "view", "window": "7d"}
    engine, report = move(filled(), config(attributes=attributes(visits=visits)))
    assert "visits" in names(report.kept)
    assert views(engine, "visits") == views(filled(), "visits")
    again, second = move(engine, config())
    assert second.reset == ()
    assert views(again, "visits") == views(filled(), "visits")
    again.check()


def test_fewer_items_are_trimmed_at_once(move: Move) -> None:
    """The newest stay; more room fills from then on."""
    seen = {**attributes()["seen"], "max_items": 2}
    engine, report = move(filled(), config(attributes=attributes(seen=seen)))
    engine.check()
    assert "seen" in names(report.kept)
    for rid, parts in views(engine, "seen.all").items():
        before = filled().profile(rid=rid)
        assert before is not None
        assert len(parts[3]) <= 2
        assert parts[3] == before.attributes["seen.all"][-len(parts[3]) :] or not parts[3]


def test_other_fields_are_another_list(move: Move) -> None:
    """A field more is another meaning; the same fields in another order are the same."""
    seen = {**attributes()["seen"], "fields": ["price", "amount"]}
    engine, report = move(filled(), config(attributes=attributes(seen=seen)))
    assert [(each.name, each.reason) for each in report.reset] == [("seen", "another fields")]
    turned = {**seen, "fields": ["amount", "price"]}
    for table, event in events():
        engine.process(event, table)
    before = views(engine, "seen.all", "seen.top")
    other, report = move(engine, config(attributes=attributes(seen=turned)))
    assert report.reset == ()
    assert views(other, "seen.all", "seen.top") == before
    other.check()


def with_keys(*keys: str, **rules: Any) -> dict[str, Any]:
    """Return the shop's config with other stitching keys."""
    identity = {"lookup_key": "customer", "secret": "for the tests"}
    return config(identity={**identity, "keys": {key: rules.get(key, {}) for key in keys}})


def test_keys_may_come_and_go(move: Move) -> None:
    """Identifiers of a key that is gone are dropped, and with them profiles that nobody can meet any more."""
    engine = filled()
    before = views(engine)
    cookies = sum(len(parts[2].get("cookie", ())) for parts in before.values())
    lonely = [rid for rid, parts in before.items() if list(parts[2]) == ["cookie"]]
    new, report = move(engine, with_keys("phone", "customer", "email"))
    new.check()
    assert (report.identifiers_dropped, report.profiles_dropped) == (cookies, len(lonely))
    assert list(views(new)) == [rid for rid in before if rid not in lonely]
    for parts in views(new).values():
        assert "cookie" not in parts[2]
    assert new.stats()["profiles"] == len(before) - len(lonely)
    assert (
        new.process({"phone": "1", "email": "person1@example.com", "time": START + 9 * DAY}, "web").rid
        in before
    )


def test_identifiers_that_the_rules_refuse_now_are_dropped(move: Move) -> None:
    """A rule against a shared text takes it from the profiles that it had joined."""
    new, report = move(filled(), with_keys("cookie", "email", "customer", cookie={"invalid": ["cookie-5"]}))
    assert report.identifiers_dropped == 1
    assert new.profile({"cookie": "cookie-5"}) is None
    assert new.profile({"cookie": "cookie-6"}) is not None
    new.check()


def test_a_lower_ceiling_evicts(move: Move) -> None:
    """`limits.associations` holds at once."""
    new, report = move(filled(), config(limits={"associations": 2}))
    new.check()
    assert report.identifiers_evicted > 0
    assert all(sum(map(len, parts[2].values())) <= 2 for parts in views(new).values())


def test_batch_rows_stay_with_their_key(move: Move) -> None:
    """Rows join as before under the same lookup key; another one needs a new load."""
    engine, report = move(filled(), config(segments={"s9": "other"}))
    assert report.rows_dropped == 0
    assert engine.process({"customer": "C99", "time": START}, "web").rid is not None
    view = engine.profile({"cookie": "cookie-99"})
    assert view is not None
    assert view.attributes["tier"] == "bronze"
    identity = {**config()["identity"], "lookup_key": "email"}
    other, report = move(engine, config(identity=identity))
    assert report.rows_dropped == len(ROWS)
    assert other.stats()["imported_rows"] == 0
    other.check()


def test_a_bad_config_changes_nothing(tmp_path: Path) -> None:
    """The engine goes on under the config that it had."""
    engine = filled()
    engine.snapshot(tmp_path / "before")
    with pytest.raises(ConfigError):
        engine.reload({"version": 1, "name": "shop", "attributes": {"a": {"type": "nothing"}}})
    engine.snapshot(tmp_path / "after")
    assert (tmp_path / "after").read_bytes() == (tmp_path / "before").read_bytes()
    assert engine.config.name == "shop"


def test_a_reload_during_a_stream_loses_no_event() -> None:
    """An engine that is reloaded between events, there and back, ends as one that isn't."""
    straight, reloaded = filled(0), filled(0)
    other = config(segments={"s9": "other"}, attributes=attributes(more={"type": "total", "on": "view"}))
    for number, (table, event) in enumerate(events(90)):
        if number % 7 == 0:
            reloaded.reload(other if number % 2 else config())
        assert reloaded.process(event, table).rid == straight.process(event, table).rid
    reloaded.reload(config())
    assert views(reloaded, *ALL) == views(straight, *ALL)
    assert reloaded.stats() == straight.stats()
