"""Profiles at rest: what is packed comes back, takes little room, and shares the index's texts."""

from __future__ import annotations

import sys
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reactor import Reactor
from reactor.identity import NEWEST, Profile, is_at_rest
from reactor.state.resting import packed_body

KINDS = st.sampled_from(["mark", "newest", "prefix", "other"])
TIMES = st.integers(0, 253_402_300_799_999)
SHOP: dict[str, Any] = {
    "version": 1,
    "name": "shop",
    "identity": {"keys": {"c": {}, "d": {}}},
    "key_events": {"see": "t"},
    "attributes": {
        "last": {"type": "single", "on": "see", "value": "v", "dtype": "string"},
        "many": {"type": "list", "on": "see", "item": "v", "aggregations": {"all": {"distinct": "item"}}},
    },
}


def keeping(in_use: int | None, config: dict[str, Any] = SHOP) -> Reactor:
    """Return an engine that keeps so many rows in use."""
    engine = Reactor(config)
    engine.in_use = in_use
    return engine


def engine_with(events: int, in_use: int | None) -> Reactor:
    """Return an engine with a profile an event."""
    engine = keeping(in_use)
    for number in range(events):
        engine.process({"c": f"c{number}", "time": number, "v": f"value {number}"})
    return engine


def test_the_least_recently_used_rest() -> None:
    """Five rows in use at the beginning of a call; who came again goes to the back."""
    engine = keeping(5)
    for time, number in enumerate([0, 1, 2, 3, 4, 0, 5, 6]):
        engine.process({"c": f"c{number}", "time": time})
    index = engine._state.identity.index[0]
    assert [value for value, profile in index.items() if is_at_rest(profile)] == ["c1", "c2"]
    assert engine._state.resting.in_use == 5


def test_none_rest_where_all_may_be_in_use() -> None:
    engine = engine_with(50, in_use=None)
    assert not any(map(is_at_rest, engine._state.identity.profiles()))


def test_in_use_may_be_set_at_any_time() -> None:
    """Up and down, off and on; a reload keeps it."""
    engine = engine_with(50, in_use=None)
    for in_use in 10, 20, None, 7:
        engine.in_use = in_use
        assert engine.in_use == in_use
        engine.process({"c": "another", "time": 60})
        engine.process({"c": f"new {in_use}", "time": 60})
        engine.check()
    engine.reload({**SHOP, "name": "another"})
    assert engine.in_use == 7
    assert sum(not is_at_rest(profile) for profile in engine._state.identity.profiles()) <= 7


def test_texts_are_held_once() -> None:
    """A profile at rest, and the row it becomes, hold the very objects that the index has as keys."""
    engine = engine_with(3, in_use=0)
    index = engine._state.identity.index[0]
    text = next(iter(index))
    profile = index[text]
    assert is_at_rest(profile)
    assert profile[1] is text
    engine.process({"c": "c0", "time": 5})
    assert not is_at_rest(profile)
    assert next(iter(profile[4])) is text


def test_a_list_at_rest_takes_no_more_room_than_it_needs() -> None:
    engine = engine_with(3, in_use=0)
    profile = next(engine._state.identity.profiles())
    assert sys.getsizeof(profile) == sys.getsizeof([]) + 8 * 4  # three places, and one to be even


def test_a_profile_without_identifiers_rests() -> None:
    """Every identifier evicted: only merged-away rids are left."""
    engine = keeping(0, {**SHOP, "limits": {"associations": 1}})
    for number, event in enumerate([{"c": "1"}, {"d": "1"}, {"c": "1", "d": "1"}, {"c": "2"}]):
        engine.process({**event, "time": number})
        engine._state.resting.rest_all()
        engine.check()


def test_a_profile_with_many_identifiers_rests() -> None:
    """More of them than one byte counts."""
    engine = keeping(0)
    for number in range(150):
        engine.process({"c": f"c{number}", "d": "one", "time": number * 100_000})
    before = engine.profile({"d": "one"})
    engine._state.resting.rest_all()
    engine.check()
    assert engine.profile({"c": "c149"}) == before


RESTING = Reactor(SHOP)._state.resting


def settled(newest_ms: int, body: bytes) -> Profile:
    """Return a profile at rest with any bytes for a body."""
    profile: Profile = [1, 0, newest_ms, None, {"c": 0}, None]
    RESTING._settle(profile, RESTING._form(profile, body))
    return profile


@given(
    TIMES,
    st.lists(st.sampled_from(["mark", "newest", "prefix", "other"]), max_size=30),
    st.integers(0, 2**32),
)
def test_any_body_comes_back(newest_ms: int, kinds: list[str], seed: int) -> None:
    """Would catch: a mark that stands in the body already, a time that begins in another."""
    random = Random(seed)
    newest = b"\xcf" + newest_ms.to_bytes(8, "big")
    marks = [0xC1, 0xC0, 0xFE, 0xFD, 0xFC, 0xFB, 0xFA, 0xF9, 0x1D, 0x1C, 0x1B, 0x1A]
    chosen = random.sample(marks, random.choice((0, 1, 5, 12)))
    pieces = {"newest": newest, "prefix": newest[:5], "mark": b""}
    body = b""
    for kind in kinds:
        pieces["mark"] = bytes([random.choice(chosen)]) if chosen else b""
        body += pieces.get(kind, random.randbytes(2))
    profile = settled(newest_ms, body)
    assert packed_body(profile) == body
    assert int.from_bytes(profile[NEWEST][:6], "big") == newest_ms


def test_times_are_squeezed() -> None:
    """The newest event's time is one byte, another's five instead of nine."""
    newest_ms = 1_750_000_000_000
    newest, other = (b"\xcf" + ms.to_bytes(8, "big") for ms in (newest_ms, newest_ms - 5))
    plain = len(settled(newest_ms, b"")[NEWEST])
    assert len(settled(newest_ms, newest + newest + other)[NEWEST]) == plain + 1 + 1 + 5
