"""Profiles that leave: after an idle time, or for want of room."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor import EventError, Reactor, simulate
from reactor.identity import NEWEST, RID

DAY = 86_400
SEEDS = st.integers(0, 2**32)


def shop(**limits: Any) -> Reactor:
    """Return an engine that counts visits, of people with a client id and an address."""
    return Reactor(
        {
            "version": 1,
            "name": "shop",
            "limits": limits,
            "identity": {"lookup_key": "u", "keys": {"c": {}, "m": {}, "u": {}}},
            "key_events": {"visit": "web"},
            "attributes": {"visits": {"type": "total", "on": "visit"}},
            "personalizations": {
                "p": {
                    "sections": {
                        "visits": {"payload": {"attributes": {"n": "visits"}}},
                        "known": {"when": "before.visits > 0", "payload": {"strings": {"hello": "again"}}},
                    }
                }
            },
        }
    )


def visit(engine: Reactor, time: float, now: object = None, **keys: str) -> str:
    """Process an event, check the invariants, and return the profile's rid."""
    rid = engine.process({**keys, "time": time}, now=now).rid
    engine.check()
    assert rid is not None
    return rid


def visits(engine: Reactor, now: object = None, **keys: str) -> object:
    """Return how many visits a profile knows of at a time; None if nobody is met."""
    view = engine.profile(keys, now=now)
    return None if view is None else view.attributes["visits"]


def state(engine: Reactor) -> object:
    """Return what an engine holds and has counted, but for refused events and how profiles are filed."""
    pack = engine._state.resting.pack
    held = {profile[RID]: pack(profile) for profile in engine._state.identity.profiles()}
    return held, {**engine.stats(), "refused": 0}


# Idle


@pytest.mark.parametrize(("gap", "count"), [(9.999, 2), (10, 1), (1e6, 1), (-1e3, 2)])
def test_an_event_after_an_idle_time_founds_a_new_profile(gap: float, count: int) -> None:
    """A gap of exactly `idle` is one; an event that comes late is none."""
    engine = shop(idle="10s")
    first = visit(engine, 10_000, c="a")
    again = visit(engine, 10_000 + gap, c="a")
    assert (first == again) == (count == 2)
    assert visits(engine, c="a") == count
    assert engine.stats()["profiles"] == 1
    assert engine.stats()["evicted_idle"] == 2 - count
    assert (engine.profile(rid=first) is None) == (count == 1)


def test_idle_counts_from_the_newest_event() -> None:
    """A late event does not make a profile older."""
    engine = shop(idle="10s")
    first = visit(engine, 100, c="a")
    visit(engine, 50, c="a")
    assert visit(engine, 109, c="a") == first


def test_before_an_idle_gap_there_was_nothing() -> None:
    """`before.` of the event that founds anew is that of a new profile."""
    engine = shop(idle="10s")
    visit(engine, 0, c="a")
    assert engine.process({"c": "a", "time": 9}).offers.keys() == {"visits", "known"}
    assert engine.process({"c": "a", "time": 19}).offers.keys() == {"visits"}


def test_reads_find_nobody_after_an_idle_time() -> None:
    """Of a profile by keys and by rid, of its offers, and in `evaluate` by the event's time."""
    engine = shop(idle="10s")
    rid = visit(engine, 0, c="a", m="a@x")
    assert [visits(engine, now, c="a") for now in (None, 9.999, 10)] == [1, 1, None]
    assert engine.profile(rid=rid, now=9.999) is not None
    assert engine.profile(rid=rid, now=10) is None
    assert engine.offers({"m": "a@x"}, now=10).offers == {}
    assert engine.evaluate({"c": "a", "time": 9.999}).rid == rid
    assert engine.evaluate({"c": "a", "time": 10}).rid is None
    assert engine.evaluate({"c": "a", "time": 5}, now=10).rid == rid
    assert engine.stats()["profiles"] == 1


def test_of_several_profiles_the_idle_ones_leave() -> None:
    """What one event meets: the idle profile goes with its history, the other one stays."""
    engine = shop(idle="10s")
    old = visit(engine, 0, c="a")
    young = visit(engine, 8, m="a@x")
    assert visit(engine, 11, c="a", m="a@x") == young
    assert engine.profile(rid=old) is None
    assert visits(engine, c="a") == 2
    assert engine.stats()["merges"] == 0


def test_batch_rows_lead_to_idle_profiles_too() -> None:
    """An idle profile that an event meets only by way of a row is gone, and the row still joins."""
    engine = shop(idle="10s")
    old = visit(engine, 0, u="1")
    engine.import_batch([{"u": "1", "m": "a@x"}, {"u": "2", "m": "b@x", "c": "b"}])
    fresh = visit(engine, 10, m="a@x")
    assert fresh != old
    assert engine.profile({"u": "1"}) == engine.profile(rid=fresh)
    assert visits(engine, u="1") == 1


def test_now_does_not_decide() -> None:
    """State depends on the events alone: a late event joins its profile however late it is now."""
    engine = shop(idle="10s")
    first = visit(engine, 0, c="a")
    assert visit(engine, 5, now=1_000, c="a") == first


@pytest.mark.parametrize(("idle", "wait"), [("10s", 20), ("1d", 2 * DAY), ("30d", 31 * DAY)])
def test_idle_rows_are_cleared_away(idle: str, wait: int) -> None:
    """Two for each new profile, the longest idle first, once an event can hardly be so late."""
    engine = shop(idle=idle)
    rids = [visit(engine, time, c=str(time)) for time in range(5)]
    visit(engine, wait - 0.001, c="young")
    assert engine.stats()["profiles"] == 6
    visit(engine, wait + 3, c="next")
    assert [engine.profile(rid=rid) is None for rid in rids] == [True, True, False, False, False]
    visit(engine, wait + 3, c="third")
    assert [engine.profile(rid=rid) is None for rid in rids] == [True] * 4 + [False]
    assert engine.stats()["evicted_idle"] == 4
    assert engine.stats()["evicted_last"] == []


def test_what_an_event_finds_gone_is_not_counted_as_swept() -> None:
    """Its own idle profile leaves, and two others besides."""
    engine = shop(idle="10s")
    for time in range(4):
        visit(engine, time, c=str(time))
    visit(engine, 100, c="0")
    assert [visits(engine, c=name) for name in "0123"] == [1, None, None, 1]


def test_the_table_of_profiles_leaves_out_those_that_are_gone() -> None:
    """Whether their rows are still there or not."""
    events = [{"c": "a", "time": 0}, {"c": "b", "time": 7}]
    run = simulate(shop(idle="10s").config, events, table="web")
    assert [len(run.profiles(at=at)) for at in (7, 9, 10, 17)] == [2, 2, 1, 0]


def test_off_is_off() -> None:
    """Without limits nothing leaves, and the generated code does not ask."""
    engine = shop()
    first = visit(engine, 0, c="a")
    assert visit(engine, 10**9, c="a") == first
    assert engine._state.leaving is None
    assert "slow = True" in engine.source()
    lines = set(shop(idle="7s").source().split("\n")) - set(engine.source().split("\n"))
    assert lines == {
        "    if p is not None and t - (awake(p) if p[2].__class__ is bytes else p[2]) >= 7000: slow = True"
    }


# The ceiling


def test_the_longest_idle_is_evicted() -> None:
    """By its newest event, then by rid; a late event does not help."""
    engine = shop(profiles=3)
    rids = {name: visit(engine, 10, c=name) for name in "abc"}
    visit(engine, 11, c="a")
    visit(engine, 5, c="b")
    first, second = sorted((rids["b"], rids["c"]))
    visit(engine, 12, c="d")
    assert engine.stats()["evicted_last"] == [first]
    visit(engine, 13, c="e")
    visit(engine, 14, c="f")
    assert engine.stats()["evicted_last"] == [first, second, rids["a"]]
    assert (engine.stats()["evicted_full"], engine.stats()["profiles"]) == (3, 3)
    assert visits(engine, c="a") is None


def test_a_hundred_evicted_rids_are_listed() -> None:
    """The last ones, oldest first."""
    engine = shop(profiles=1)
    rids = [visit(engine, time, c=str(time)) for time in range(151)]
    assert engine.stats()["evicted_last"] == rids[50:150]
    assert engine.stats()["evicted_full"] == 150
    engine.stats()["evicted_last"].clear()
    assert len(engine.stats()["evicted_last"]) == 100


def test_events_without_a_new_profile_evict_nobody() -> None:
    """Neither those of known profiles nor those without an identifier."""
    engine = shop(profiles=1)
    first = visit(engine, 0, c="a")
    assert visit(engine, 1, c="a", m="a@x") == first
    assert engine.process({"time": 2}).rid is None
    assert engine.process({"c": "", "time": 2}).rid is None
    assert engine.stats()["evicted_full"] == 0


@pytest.mark.parametrize("by_row", [False, True])
def test_a_merge_frees_a_place(by_row: bool) -> None:
    """The absorbed profile no longer counts, nor does it stand in the schedule."""
    engine = shop(profiles=2, when_full="refuse")
    visit(engine, 0, c="a")
    visit(engine, 1, m="a@x", u="1")
    if by_row:
        engine.import_batch([{"u": "1", "c": "a"}])
    else:
        visit(engine, 2, c="a", m="a@x")
    engine.check()
    visit(engine, 3, c="b")
    with pytest.raises(EventError):
        visit(engine, 4, c="d")


def test_refused_at_the_ceiling() -> None:
    """L10: nothing has changed but the count, not even that of events given the time `now`."""
    engine = shop(profiles=2, when_full="refuse")
    visit(engine, 0, c="a")
    visit(engine, 1, c="b")
    visit(engine, 2, c="a")
    before = state(engine)
    text = r"^limits\.profiles: expected at most 2 profiles, got an event that would found another$"
    for event in ({"c": "x", "time": 3}, {"c": "x", "C": "y", "time": 10**9}):
        for method in (engine.process, engine.ingest):
            with pytest.raises(EventError, match=text) as raised:
                method(event, now=3)
            assert raised.value.__context__ is None
            engine.check()
    with pytest.raises(EventError, match=text):
        engine.process_json(b'{"c": "x"}', now=3)
    assert state(engine) == before
    assert engine.stats()["refused"] == 5
    assert engine.process({"c": "a", "time": 10**9}, now=3).rid is not None
    assert engine.stats()["clamped"] == 1
    assert engine.evaluate({"c": "x", "time": 3}).offers.keys() == {"visits"}


def test_idle_profiles_make_room_at_the_ceiling() -> None:
    """Those that are gone leave first, and are counted as idle; only then is an event refused."""
    engine = shop(profiles=2, when_full="refuse", idle="10s")
    visit(engine, 0, c="a")
    visit(engine, 5, c="b")
    with pytest.raises(EventError):
        visit(engine, 9, c="d")
    visit(engine, 10, c="d")
    assert visits(engine, c="a") is None
    assert visits(engine, c="b") == 1
    again = visit(engine, 15, c="b")  # its own profile is gone: the new one takes its place
    assert visits(engine, c="b") == 1
    assert engine.profile(rid=again) is not None
    assert (engine.stats()["evicted_idle"], engine.stats()["evicted_full"]) == (2, 0)


# Any history


def snapshot_of(engine: Reactor) -> bytes:
    """Return the bytes of an engine's snapshot."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        engine.snapshot(path)
        return path.read_bytes()


def restored(engine: Reactor) -> Reactor:
    """Return an engine that goes on from another's snapshot."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        engine.snapshot(path)
        fresh = Reactor(engine.config, state=path)
    fresh.check()
    return fresh


def draw(random: Random, count: int) -> list[Mapping[str, Any]]:
    """Draw events of few people, some of them late, some that join two profiles."""
    time = 0
    events = []
    for _ in range(count):
        time += random.choice((0, 0, 1, 3, 30))
        late = random.choice((0, 0, 0, 1, 20))
        event = {"c": random.choice("abcdefgh"), "time": max(time - late, 0)}
        if random.random() < 0.3:
            event["m"] = random.choice("wxyz")
        events.append(event)
    return events


@given(SEEDS, st.sampled_from([None, "10s", "1m"]), st.integers(1, 5), st.sampled_from(["evict", "refuse"]))
def test_the_ceiling_holds(seed: int, idle: str | None, profiles: int, when_full: str) -> None:
    """Never more profiles than allowed; who is evicted has the oldest newest event, then the least rid.

    And how the schedule stands decides nothing (L4): a second engine, whose profiles are all filed anew
    now and then, or which is saved and restored, does the same.
    """
    random = Random(seed)
    engines = [shop(idle=idle, profiles=profiles, when_full=when_full) for _ in range(2)]
    for event in draw(random, 40):
        held = {profile[RID]: profile[NEWEST] for profile in engines[0]._state.identity.profiles()}
        before = state(engines[0])
        answers: list[str | None] = []
        for engine in engines:
            try:
                answers.append(engine.process(event).rid)
            except EventError as error:
                answers.append(error.path)
            engine.check()
        assert answers[0] == answers[1]
        if answers[0] == "limits.profiles":
            assert state(engines[0]) == before
        assert state(engines[0]) == state(engines[1])
        assert engines[0].stats()["profiles"] <= profiles
        left = held.keys() - {profile[RID] for profile in engines[0]._state.identity.profiles()}
        merged = {rid for rid in left if rid in engines[0]._state.identity.rids}
        stays = [(newest, rid) for rid, newest in held.items() if rid not in left]
        if idle is None and not merged and left:
            assert max((held[rid], rid) for rid in left) < min(stays, default=(10**18, 0))
        if random.random() < 0.3:
            leaving = engines[1]._state.leaving
            assert leaving is not None
            for profile in engines[1]._state.identity.profiles():
                leaving.file(profile)
        if random.random() < 0.1:
            engines[1] = restored(engines[1])
    assert snapshot_of(engines[0]) == snapshot_of(engines[1])


def test_known_profiles_are_not_filed_anew() -> None:
    """The schedule is lazy: an event of a known profile leaves it as it is."""
    engine = shop(profiles=2)
    visit(engine, 0, c="a")
    leaving = engine._state.leaving
    assert leaving is not None
    before = list(leaving._schedule)
    visit(engine, 100, c="a", m="a@x")
    assert list(leaving._schedule) == before


def test_forgotten_profiles_leave_the_schedule() -> None:
    """A place is free again."""
    engine = shop(profiles=1, when_full="refuse")
    visit(engine, 0, c="a")
    assert engine.forget({"c": "a"}).profiles == 1
    engine.check()
    visit(engine, 1, c="b")


def test_a_lower_ceiling_takes_hold_with_the_next_new_profile() -> None:
    """Profiles that are taken in stand in the schedule; what is too many leaves in order."""
    engine = shop(profiles=4)
    rids = [visit(engine, time, c=str(time)) for time in range(4)]
    engine.reload(shop(profiles=2).config)
    engine.check()
    assert engine.stats()["profiles"] == 4
    visit(engine, 9, c="new")
    assert engine.stats()["evicted_last"] == rids[:3]
    assert engine.stats()["profiles"] == 2


def test_a_lower_ceiling_refuses_while_too_many_are_not_gone() -> None:
    """As many leave as it takes, if they are all gone; none, if they are not."""
    engine = shop(profiles=6, idle="10s", when_full="refuse")
    for time in range(6):
        visit(engine, time, c=str(time))
    engine.reload(shop(profiles=2, idle="10s", when_full="refuse").config)
    before = state(engine)
    with pytest.raises(EventError):
        visit(engine, 13, c="new")
    assert state(engine) == before
    visit(engine, 14, c="new")
    assert engine.stats()["profiles"] == 2
    assert engine.stats()["evicted_idle"] == 5
