"""Rids: their form, what they are made of, and that they can be made again."""

from __future__ import annotations

import uuid
from hashlib import blake2b

import pytest
from driver import Driver
from hypothesis import given
from hypothesis import strategies as st

from reactor.identity import RID, format_rid, parse_rid
from reactor.identity.rid import Mint

TIME = 1_700_000_000_123


def by_the_book(secret: bytes, text: bytes, time: int) -> uuid.UUID:
    """Make a rid field by field, as the definition of UUIDv7 is written."""
    digest = blake2b(text, digest_size=10, key=secret).digest()
    bits = "".join(f"{byte:08b}" for byte in digest)[:74]
    return uuid.UUID(int=int(f"{time:048b}" + "0111" + bits[:12] + "10" + bits[12:], 2))


@pytest.mark.parametrize("secret", ["", "s", "x" * 64, "\u00e9"])
def test_a_rid_is_a_uuid_of_version_7(secret: str) -> None:
    rid = Mint(["client", "email"], secret).rid(1, "a@b", TIME, ())
    expected = by_the_book(secret.encode(), b"email\0a@b", TIME)
    assert format_rid(rid) == str(expected)
    assert (expected.version, expected.variant) == (7, uuid.RFC_4122)
    assert rid >> 80 == TIME


def test_a_long_secret_is_hashed_first() -> None:
    rid = Mint(["email"], "x" * 65).rid(0, "a@b", TIME, ())
    assert format_rid(rid) == str(by_the_book(blake2b(b"x" * 65).digest(), b"email\0a@b", TIME))


def test_a_taken_rid_is_counted_on() -> None:
    mint = Mint(["email"], "s")
    expected = [by_the_book(b"s", b"email\0a@b" + tail, TIME) for tail in (b"", b"\x001", b"\x002")]
    taken: list[int] = []
    for one in expected:
        taken.append(mint.rid(0, "a@b", TIME, taken))
        assert format_rid(taken[-1]) == str(one)


@given(st.integers(0, 2**128 - 1))
def test_text_and_number_are_the_same_rid(rid: int) -> None:
    text = format_rid(rid)
    assert text == str(uuid.UUID(int=rid))
    assert parse_rid(text) == rid
    assert parse_rid(text.upper()) == rid


@pytest.mark.parametrize(
    "text",
    [
        "",
        "018c0000",
        "018c0000-0000-7000-8000-00000000000",
        "018c0000-0000-7000-8000-0000000000011",
        "018c0000-0000-7000-8000-00000000000g",
        "018c0000000070008000000000000001",
        "{018c0000-0000-7000-8000-000000000001}",
        " 018c0000-0000-7000-8000-000000000001",
        "018c0000-0000-7000-8000-000000000001\n",
        "018c0000-0000-7000-8000-0000000000\u0661\u0661",
        "018c0000-0000-7000-8000-00000000_001",
    ],
)
def test_other_text_is_no_rid(text: str) -> None:
    assert parse_rid(text) is None


def test_the_order_of_rids_is_that_of_their_text_and_of_age() -> None:
    rids = [Mint(["k"], "s").rid(0, value, time, ()) for time in (1, 2, 999, TIME) for value in "abc"]
    texts = [format_rid(rid) for rid in sorted(rids)]
    assert texts == sorted(texts)
    assert [rid >> 80 for rid in sorted(rids)] == sorted([1, 2, 999, TIME] * 3)


def test_the_first_valid_identifier_in_config_order_founds() -> None:
    profile = Driver().event("", "a@b", "u1", time=TIME).profile
    assert profile is not None
    assert format_rid(profile[RID]) == str(by_the_book(b"secret", b"email\0a@b", TIME))


def test_the_rid_of_a_forgotten_profile_is_free_again() -> None:
    driver = Driver()
    first = driver.event("c1", time=TIME).profile
    assert first is not None
    rid = first[RID]
    driver.identity.forget(first)
    assert first == []
    again = driver.event("c1", time=TIME).profile
    assert again is not None
    assert again[RID] == rid


CLIENT = b"client\0c1"


def found_again(driver: Driver) -> str:
    """Let an event found a profile by `c1` at TIME, and return its rid."""
    profile = driver.event("c1", time=TIME).profile
    assert profile is not None
    return format_rid(profile[RID])


def test_the_rid_of_a_living_profile_is_taken() -> None:
    driver = Driver(associations=2)
    assert found_again(driver) == str(by_the_book(b"secret", CLIENT, TIME))
    driver.event("c1", "a@b", time=TIME)
    driver.event(None, "a@b", "u1", time=TIME + 1)
    assert driver.partition() == {frozenset({(1, "a@b"), (2, "u1")})}
    assert found_again(driver) == str(by_the_book(b"secret", CLIENT + b"\x001", TIME))


def test_the_rid_of_a_merged_away_profile_is_taken_until_it_is_evicted() -> None:
    first = str(by_the_book(b"secret", CLIENT, TIME))
    driver = Driver(associations=4)
    driver.event(None, "a@b", time=TIME - 1)
    driver.event("c1", None, "u1", time=TIME)
    stitched = driver.event(None, "a@b", "u1", time=TIME + 5)
    assert [format_rid(rid) for rid in stitched.merged] == [first]
    assert driver.event(None, "a@b", "u2", time=TIME + 6).evicted == ((0, "c1"),)
    assert driver.identity.by_rid(first) is stitched.profile
    assert found_again(driver) == str(by_the_book(b"secret", CLIENT + b"\x001", TIME))

    # Now the first rid goes too, and is free.
    stitched = driver.event(None, "a@b", "u3", time=TIME + 7)
    assert stitched.evicted_rids == (parse_rid(first),)
    assert driver.identity.by_rid(first) is None
    second = driver.identity.find([(0, "c1")])[0]
    driver.identity.forget(second)
    assert found_again(driver) == first
    driver.identity.check()
