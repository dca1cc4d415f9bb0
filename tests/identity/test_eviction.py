"""What goes when a profile has too many associations, and in which order."""

from __future__ import annotations

import pytest
from driver import Driver, texts
from hypothesis import given
from hypothesis import strategies as st

from reactor.identity import ABSORBED, KEYS, KeyRule, format_rid
from reactor.identity.evict import Ceiling

KEY_COUNT = 3


def row(**held: object) -> list[object]:
    """Return a row by slot: absorbed, a, b, c."""
    return [0, 0, 0, *(held.get(name) for name in ("absorbed", "a", "b", "c"))]


def evicted(profile: list[object], associations: int, lookup: int | None = None) -> list[str]:
    names = {ABSORBED: "rid", KEYS: "a", KEYS + 1: "b", KEYS + 2: "c"}
    ceiling = Ceiling(KEY_COUNT, lookup, associations)
    return [f"{names[slot]}:{value}" for slot, value in ceiling.evict(profile)]


ORDER: dict[str, tuple[list[object], int, int | None, list[str]]] = {
    "nothing too much": (row(a={"x": 1}, b={"y": 1}), 2, None, []),
    "seen longest ago": (row(a={"x": 1, "y": 3}, b={"z": 2}), 1, None, ["a:x", "b:z"]),
    "known to batch rows only": (row(a={"x": 0}, c={"z": -1}), 1, None, ["c:z"]),
    "rids before identifiers": (row(absorbed={7: 5}, a={"x": 5}, c={"z": 5}), 2, None, ["rid:7"]),
    "greater rids first": (row(absorbed={7: 5, 9: 5, 8: 5}), 1, None, ["rid:9", "rid:8"]),
    "rids by the time of the merge": (row(absorbed={7: 6, 9: 4}, a={"x": 5}), 1, None, ["rid:9", "a:x"]),
    "later keys first": (row(a={"x": 5}, b={"y": 5}, c={"z": 5}), 1, None, ["c:z", "b:y"]),
    "greater text first": (row(a={"x": 5, "y": 5, "xx": 5, "X": 5}), 1, None, ["a:y", "a:xx", "a:x"]),
    "text by code point": (row(a={"\uffff": 5, "\U0001f600": 5}), 1, None, ["a:\U0001f600"]),
    "time before key before text": (row(a={"x": 5, "y": 4}, b={"z": 5}), 1, None, ["a:y", "b:z"]),
    "the lookup key last of all": (row(absorbed={7: 9}, a={"x": 1}, b={"y": 9}), 1, 0, ["rid:7", "b:y"]),
    "even when it is the oldest": (row(a={"x": 1, "y": 2}, b={"z": 9}), 2, 0, ["b:z"]),
    "but it does go": (row(a={"x": 1, "y": 2, "w": 2}, b={"z": 9}), 1, 0, ["b:z", "a:x", "a:y"]),
}


@pytest.mark.parametrize(("profile", "associations", "lookup", "expected"), ORDER.values(), ids=ORDER)
def test_order(profile: list[object], associations: int, lookup: int | None, expected: list[str]) -> None:
    profile = [slot.copy() if isinstance(slot, dict) else slot for slot in profile]
    assert evicted(profile, associations, lookup) == expected
    assert all(slot is None or slot for slot in profile[ABSORBED:])


@st.composite
def rows(draw: st.DrawFn) -> list[object]:
    times = st.integers(-1, 3)
    keys = st.dictionaries(st.text("abc", min_size=1, max_size=2), times, max_size=5)
    absorbed = draw(st.dictionaries(st.integers(1, 9), times, max_size=5))
    return [0, 0, 0, *((part or None) for part in (absorbed, draw(keys), draw(keys), draw(keys)))]


@given(rows(), st.integers(1, 12), st.sampled_from([None, 0, 1, 2]))
def test_one_at_a_time_is_all_at_once(profile: list[object], associations: int, lookup: int | None) -> None:
    """Evicting n is n times evicting one; and the rule, written as one sort key, says the same."""
    everything = [
        (slot == KEYS + lookup if lookup is not None else False, time, slot, value)
        for slot in range(ABSORBED, KEYS + KEY_COUNT)
        for value, time in (profile[slot] or {}).items()
    ]
    everything.sort(key=lambda one: _descending(one[3]))
    everything.sort(key=lambda one: (one[0], one[1], 0 if one[2] == ABSORBED else 1, -one[2]))
    excess = max(0, len(everything) - associations)
    expected = [(slot, value) for _, _, slot, value in everything[:excess]]

    def copy() -> list[object]:
        return [dict(slot) if isinstance(slot, dict) else slot for slot in profile]

    at_once, one_by_one = copy(), copy()
    assert Ceiling(KEY_COUNT, lookup, associations).evict(at_once) == expected
    found = []
    for step in range(len(everything) - 1, associations - 1, -1):
        found += Ceiling(KEY_COUNT, lookup, step).evict(one_by_one)
    assert found == expected
    assert one_by_one == at_once


def _descending(value: object) -> list[int]:
    return [-value] if isinstance(value, int) else [*(-ord(character) for character in str(value)), 1]


def test_an_evicted_identifier_leads_nowhere_and_founds_anew() -> None:
    driver = Driver(associations=2)
    first = driver.event("c1", "a@b", time=10)
    stitched = driver.event("c2", "a@b", time=20)
    assert stitched.evicted == ((0, "c1"),)
    assert driver.identity.find([(0, "c1")]) == []
    driver.identity.check()
    again = driver.event("c1", time=30)
    assert again.founded
    assert again.profile is not first.profile
    driver.identity.check()


def test_an_evicted_rid_no_longer_resolves() -> None:
    driver = Driver(associations=3)
    driver.event("c1", time=10)
    absorbed = driver.event(None, "a@b", time=20).profile[0]
    driver.event("c1", "a@b", time=30)
    assert driver.identity.by_rid(format_rid(absorbed)) is not None
    stitched = driver.event("c1", "a@b", "u1", time=30)
    assert (stitched.evicted, stitched.evicted_rids) == ((), (absorbed,))
    assert driver.identity.by_rid(format_rid(absorbed)) is None
    driver.identity.check()


def test_an_event_with_more_identifiers_than_fit_keeps_the_first() -> None:
    driver = Driver(associations=2, lookup=2)
    other = driver.event(None, None, "u1", time=10)
    stitched = driver.event("c1", "a@b", "u1", time=20)
    assert texts(stitched.new) == ["0:c1", "1:a@b"]
    assert stitched.evicted == ()
    assert stitched.profile is not other.profile
    assert driver.seen(other.profile) == {(2, "u1"): 10}
    # A value that can't be used takes no place.
    assert texts(driver.event("", "x@y", "u2", time=30).new) == ["1:x@y", "2:u2"]
    driver.identity.check()


def test_an_event_brings_the_lookup_value_to_stay() -> None:
    driver = Driver(associations=3, lookup=2)
    driver.event("c1", None, "u1", time=10)
    for number in range(5):
        driver.event(f"d{number}", "a@b", "u1" if number == 0 else None, time=20 + number)
        driver.identity.check()
    (profile,) = driver.identity.find([(2, "u1")])
    assert driver.seen(profile) == {(0, "d4"): 24, (1, "a@b"): 24, (2, "u1"): 20}


def test_a_profile_can_lose_every_identifier_and_keep_its_rid() -> None:
    driver = Driver([KeyRule("client")], associations=1)
    driver.event("c1", time=10)
    driver.event("c2", time=20)
    stitched = driver.identity.join([(0, "c1"), (0, "c2")], time=25)
    assert stitched is not None
    assert stitched.evicted == ((0, "c1"), (0, "c2"))
    assert stitched.evicted_rids == ()
    assert driver.identity.by_rid(stitched.merged[0]) is stitched.profile


def test_a_merge_of_two_full_profiles_stays_within_the_ceiling() -> None:
    driver = Driver(associations=200)
    for side, time in (("x", 1_000), ("y", 5_000)):
        for number in range(199):
            driver.event(f"{side}{number:03}", f"{side}@b", time=time + number)
    stitched = driver.event("x000", "y@b", time=9_000)
    assert len(stitched.evicted) == 201
    assert stitched.evicted[:2] == ((0, "x001"), (0, "x002"))
    assert len(driver.seen(stitched.profile)) == 199
    assert driver.identity.profile_count == 1
    driver.identity.check()
