"""L3: reading changes nothing, and what is read at T is a function of events, rows and T."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from side_by_side import plain
from states import HALF, IDENTIFIERS, Event, answers, counts, draw_events, held, take

from reactor import Reactor
from reactor.spec import load_config
from reactor.testing.histories import Times, make_event, make_rows
from reactor.testing.strategies import make_config

SEEDS = st.integers(0, 2**32)


def read_around(engine: Reactor, random: Random, event: Event) -> None:
    """Read in every way there is."""
    key, value = random.choice(IDENTIFIERS)
    now = random.choice((None, "2024-01-01", "9999-12-31"))
    table, columns = event
    engine.evaluate(columns, table, now=now, audience=random.choice(("public", "private")))
    engine.offers({key: value}, now=now, audience="private")
    engine.profile({key: value}, now=now)
    for rid in engine.rids():
        engine.profile(rid=rid, now="2030-01-01")


@HALF
@given(SEEDS)
def test_l3_reading_changes_nothing(seed: int) -> None:
    """Reads in between change no byte of the state, no count, and no later outcome.

    Would catch: a read that expires or folds in place, an evaluation that attaches an identifier
    or keeps its joined row, an aggregation that hands out the row's own list.
    """
    random = Random(seed)
    config = load_config(make_config(random))
    rows = make_rows(random, lookup_key=str(config.lookup_key))
    silent, read = Reactor(config), Reactor(config)
    for engine in (silent, read):
        engine.import_batch(rows)
    for table, event in draw_events(random, 15, distinct=False):
        expected = silent.process(event, table, audience="private")
        read_around(read, random, (table, event))
        got = read.process(event, table, audience="private")
        before = held(read), counts(read)
        read_around(read, random, (table, event))
        assert plain(expected) == plain(got)
        assert (held(read), counts(read)) == before
    assert held(silent) == held(read)


@HALF
@given(SEEDS)
def test_l3_state_does_not_depend_on_now(seed: int) -> None:
    """Events taken in at any `now` that clamps nothing leave the same state, read alike at the same T.

    Would catch: a pane, a ttl or an eviction that is reckoned from `now` instead of from event times.
    """
    random = Random(seed)
    config = load_config(make_config(random))
    times = Times(random)
    without, with_now = Reactor(config), Reactor(config)
    for _ in range(20):
        time_ms = times.draw()
        table, event = make_event(random, time_ms)
        without.process(event, table)
        with_now.process(event, table, now=(time_ms + random.choice((-300_000, 0, 10**6, 10**10))) / 1000)
    assert held(without) == held(with_now)
    for seconds in (0, 61, 86_400):
        now = times.now_ms / 1000 + seconds
        assert answers(without, now, rid=True) == answers(with_now, now, rid=True)


@HALF
@given(SEEDS)
def test_l3_time_does_not_run_backwards(seed: int) -> None:
    """A read before the newest event is a read at it."""
    random = Random(seed)
    engine = take(Reactor(make_config(random)), draw_events(random, 15))
    for key, value in IDENTIFIERS:
        early = engine.profile({key: value}, now=0)
        if early is not None:
            at_newest = engine.profile({key: value}, now=early.last_seen)
            assert plain(early) == plain(at_newest) == plain(engine.profile({key: value}))
            assert engine.offers({key: value}, now=0).now == early.last_seen


def test_l3_no_clock_of_its_own() -> None:
    """An event without a time takes the `now` of the call, else of the clock that was given."""
    config = {
        "version": 1,
        "name": "clock",
        "identity": {"keys": {"c": {}}},
        "key_events": {"see": "t"},
        "attributes": {"n": {"type": "counter", "on": "see", "window": "1m"}},
    }
    seconds = [100.0]
    engine = Reactor(config, clock=lambda: seconds[0])
    assert engine.process({"c": "1"}).now.timestamp() == 100
    assert engine.process({"c": "1"}, now=107).now.timestamp() == 107
    seconds[0] = 130.5
    view = engine.profile({"c": "1"})
    assert view is not None
    assert view.attributes == {"n": 2}
    seconds[0] = 168.0
    view = engine.profile({"c": "1"})
    assert view is not None
    assert view.attributes == {"n": 0}
