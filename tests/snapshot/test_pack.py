"""Packed profiles: the same bytes for the same profile, and the same answers from the bytes."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reactor import Reactor
from reactor.identity import NEWEST
from reactor.testing.histories import Times, make_event, make_rows
from reactor.testing.strategies import Choice, make_config

SEEDS = st.integers(0, 2**32)
HOURS_MS = (0, 1, 59_999, 60_000, 3_600_000, 86_400_000, 40 * 86_400_000)


def drawn(random: Random, events: int = 30) -> Reactor:
    """Return an engine of a random config that has taken random events."""
    engine = Reactor(make_config(random, Choice(remembering=random.random() < 0.3)))
    engine.import_batch(make_rows(random, lookup_key=str(engine.config.lookup_key)))
    times = Times(random)
    for _ in range(events):
        table, event = make_event(random, times.draw())
        engine.process(event, table)
    return engine


def parts_at(engine: Reactor, profile: list[Any], now_ms: int) -> tuple[Any, ...]:
    """Return every part of a profile's row, and its offers, at a time."""
    functions = engine._functions
    return functions.parts(profile, now_ms), functions.offers(profile, now_ms, 1)


@given(SEEDS)
def test_unpacked_profiles_read_the_same(seed: int) -> None:
    """At every time from the newest event on, and they pack to the same bytes.

    Would catch: a time that is not relative, a deleted item that comes back, a pane folded wrongly.
    """
    engine = drawn(Random(seed))
    state, packer = engine._state, engine._state.packer
    for profile in state.identity.profiles():
        data = packer.pack(profile)
        again = packer.unpack(data)
        assert packer.pack(again) == data
        assert packer.pack_head(profile) + packer.pack_body(profile) == data
        state.layout.check(again)
        assert again[:NEWEST] == profile[:NEWEST]
        assert state.layout.state(again) == state.layout.state(profile)
        for later_ms in HOURS_MS:
            now_ms = profile[NEWEST] + later_ms
            assert parts_at(engine, again, now_ms) == parts_at(engine, profile, now_ms)
    state.layout.check_templates()


def engine_of(**attributes: Any) -> Reactor:
    """Return an engine for attributes over the columns of one table."""
    return Reactor(
        {
            "version": 1,
            "name": "packed",
            "identity": {"keys": {"c": {}, "d": {}}},
            "key_events": {"see": "t", "drop": {"table": "t", "where": "kind = 'drop'"}},
            "attributes": attributes,
        }
    )


def packed_after(engine: Reactor, *events: dict[str, Any]) -> bytes:
    """Return the bytes of the one profile that events make."""
    for event in events:
        engine.process({"c": "1", **event})
    (profile,) = engine._state.identity.profiles()
    return engine._state.packer.pack(profile)


def test_an_unfolded_ring_and_a_folded_one_are_the_same_bytes() -> None:
    """A thousand panes that came one by one are the panes that their windows need."""
    attribute = {"type": "counter", "on": "see", "window": "2d", "sub_windows": {"lately": "5m"}}
    times = range(0, 100_000, 100)
    forward = packed_after(engine_of(it=attribute), *({"time": time} for time in times))
    end = {"time": times[-1]}
    shuffled = sorted(times[:-1], key=lambda time: time * 7919 % 100_003)
    late = packed_after(
        engine_of(it=attribute), {"time": 0}, end, *({"time": time} for time in shuffled if time)
    )
    assert forward == late
    assert len(forward) < 500


def test_sums_that_come_to_nothing_leave_no_trace() -> None:
    """A pane whose increments cancel out is a pane that was never there."""
    attribute = {"type": "counter", "on": "see", "increment": "n", "window": "10m"}
    plain = [{"time": time, "n": 1} for time in (10, 20, 30)]
    undone = [{"time": time, "n": n} for time in (5, 15, 25) for n in (2.5, -2.5)]
    assert packed_after(engine_of(it=attribute), *undone[:2], *plain, *undone[2:]) == packed_after(
        engine_of(it=attribute), {"time": 5}, *plain
    )


def test_sums_beyond_64_bits() -> None:
    """A sum of any width comes back: 9 decimals of 10^12, over and over, up and down."""
    counter = {"type": "counter", "on": "see", "increment": "n", "decimals": 9, "window": "1h"}
    total = {"type": "total", "on": "see", "increment": "n", "decimals": 9, "discard": "never"}
    engine = engine_of(counter=counter, total=total)
    events = [{"time": time // 3, "n": 10**12 * (-1) ** (time // 30)} for time in range(50)]
    data = packed_after(engine, *events)
    again = engine._state.packer.unpack(data)
    (profile,) = engine._state.identity.profiles()
    assert parts_at(engine, again, profile[NEWEST]) == parts_at(engine, profile, profile[NEWEST])
    assert engine._state.packer.pack(again) == data


def test_what_has_expired_is_not_in_the_bytes() -> None:
    """A profile as of its newest event: older values, items and panes have left."""
    attributes: dict[str, Any] = {
        "one": {"type": "single", "on": "see", "value": "v", "dtype": "string", "ttl": "1h"},
        "many": {
            "type": "list",
            "on": "see",
            "item": "v",
            "ttl": "1h",
            "aggregations": {"all": {"distinct": "item"}},
        },
        "sum": {"type": "counter", "on": "see", "window": "1h"},
    }
    engine = engine_of(**attributes)
    assert b"a shoe" in packed_after(engine, {"time": 0, "v": "a shoe"})
    engine.process({"c": "1", "time": 90_000}, "elsewhere")
    (profile,) = engine._state.identity.profiles()
    assert engine._state.packer.pack(profile).endswith(b"\x93\xc0\xc0\xc0")
