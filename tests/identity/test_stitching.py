"""Attach, merge, read, preview, join, forget: what each does to the partition and to the rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from driver import ACCEPTED, Driver, texts

from reactor.identity import (
    ABSORBED,
    CREATED,
    NEWEST,
    RID,
    Identifier,
    KeyRule,
    Profile,
    Stitched,
    format_rid,
)


def two_and_a_bridge() -> tuple[Driver, Profile, Profile]:
    """Return two profiles, the elder and the younger: c1 since 10, and a@b with u1 since 20."""
    driver = Driver()
    elder = driver.event("c1", time=10).profile
    younger = driver.event(None, "a@b", "u1", time=20).profile
    assert elder is not None
    assert younger is not None
    return driver, list(elder), list(younger)


def test_unknown_identifiers_found_a_profile() -> None:
    driver = Driver()
    stitched = driver.event("c1", None, "u1", time=10)
    assert stitched.founded
    assert stitched.new == stitched.brought == ((0, "c1"), (2, "u1"))
    assert stitched.profile == [stitched.profile[RID], 10, 10, None, {"c1": 10}, None, {"u1": 10}, [0]]
    assert driver.identity.index == ({"c1": stitched.profile}, {}, {"u1": stitched.profile})
    assert driver.identity.rids == {stitched.profile[RID]: stitched.profile}
    driver.identity.check()


def test_a_new_identifier_is_attached_to_the_one_profile_met() -> None:
    driver = Driver()
    first = driver.event("c1", time=10)
    stitched = driver.event("c1", "a@b", time=20)
    assert stitched.profile is first.profile
    assert not stitched.founded
    assert stitched.new == stitched.brought == ((1, "a@b"),)
    assert driver.seen(stitched.profile) == {(0, "c1"): 20, (1, "a@b"): 20}
    driver.identity.check()


def test_known_identifiers_change_nothing_but_when_they_were_seen() -> None:
    driver = Driver()
    driver.event("c1", "a@b", time=10)
    stitched = driver.event("c1", time=30)
    assert stitched == Stitched(stitched.profile)
    assert driver.seen(stitched.profile) == {(0, "c1"): 30, (1, "a@b"): 10}


def test_a_late_event_does_not_turn_back_when_an_identifier_was_seen() -> None:
    driver = Driver()
    driver.event("c1", time=30)
    stitched = driver.event("c1", "a@b", time=20)
    assert driver.seen(stitched.profile) == {(0, "c1"): 30, (1, "a@b"): 20}
    assert stitched.profile[CREATED] == 20


def test_the_same_value_of_two_keys_is_two_identifiers() -> None:
    driver = Driver()
    driver.event("x", time=10)
    driver.event(None, "x", time=10)
    assert driver.partition() == {frozenset({(0, "x")}), frozenset({(1, "x")})}


def test_a_merge_unites_headers_and_redirects_everything() -> None:
    driver, elder, younger = two_and_a_bridge()
    stitched = driver.event("c1", "a@b", time=30)
    profile = stitched.profile
    assert profile == [
        elder[RID],
        10,
        30,
        {younger[RID]: 30},
        {"c1": 30},
        {"a@b": 30},
        {"u1": 20},
        [0, 1, 2],
    ]
    assert stitched.merged == (younger[RID],)
    assert (stitched.new, stitched.brought) == ((), ((1, "a@b"),))
    for rid in (elder[RID], younger[RID]):
        assert driver.identity.by_rid(rid) is profile
        assert driver.identity.by_rid(format_rid(rid)) is profile
    assert driver.identity.find([(2, "u1"), (0, "c1"), (1, "nobody")]) == [profile]
    assert list(driver.identity.profiles()) == [profile]
    assert driver.identity.profile_count == 1
    driver.identity.check()


@pytest.mark.parametrize("first", ["small", "large"])
def test_the_oldest_survives_whichever_is_larger(first: str) -> None:
    driver = Driver()

    def grow() -> None:
        for number in range(9):
            driver.event(None, f"{number}@b", "u1", time=50)

    if first == "large":
        grow()
    driver.event("c1", time=50 if first == "large" else 40)
    if first == "small":
        grow()
    (small,) = driver.identity.find([(0, "c1")])
    (large,) = driver.identity.find([(2, "u1")])
    expected, other = sorted([small[RID], large[RID]])
    stitched = driver.event("c1", None, "u1", time=60)
    # The identifiers of the larger side stay where they point.
    assert stitched.profile is large
    assert stitched.profile[RID] == expected
    assert stitched.merged == (other,)
    assert set(stitched.profile[ABSORBED]) == {other}
    driver.identity.check()


def test_a_late_founder_is_the_older_by_event_time() -> None:
    driver = Driver()
    driver.event("c1", time=20)
    late = driver.event(None, "a@b", time=10).profile
    rid = late[RID]
    assert driver.event("c1", "a@b", time=30).profile[RID] == rid


def test_several_profiles_merge_in_one_event() -> None:
    driver = Driver()
    rids = [
        driver.event(*values, time=time).profile[RID]
        for time, values in ((30, ("c1",)), (10, (None, "a@b")), (20, (None, None, "u1")))
    ]
    stitched = driver.event("c1", "a@b", "u1", time=40)
    assert stitched.merged == (rids[2], rids[0])
    assert stitched.brought == ((0, "c1"), (2, "u1"))
    assert stitched.profile[:4] == [rids[1], 10, 40, {rids[2]: 40, rids[0]: 40}]
    assert stitched.profile[-1] == [0, 1, 2, 3]
    driver.identity.check()


def test_merged_away_rids_move_on_with_their_survivor() -> None:
    driver, _elder, younger = two_and_a_bridge()
    driver.event("c1", "a@b", time=30)
    oldest = driver.event(None, None, "u0", time=5).profile[RID]
    stitched = driver.event("c1", None, "u0", time=40)
    assert stitched.profile[RID] == oldest
    assert set(stitched.profile[ABSORBED].values()) == {30, 40}
    assert driver.identity.by_rid(younger[RID]) is stitched.profile
    driver.identity.check()


@pytest.mark.parametrize(
    ("elder", "younger", "brought"),
    [
        (("c1",), (None, None, "u1"), ["1:a@b", "2:u1"]),
        ((None, None, "u1"), ("c1",), ["0:c1", "1:a@b"]),
    ],
)
def test_a_merge_tells_what_the_event_brought_in_config_order(
    elder: tuple[str | None, ...], younger: tuple[str | None, ...], brought: list[str]
) -> None:
    driver = Driver()
    driver.event(*elder, time=10)
    driver.event(*younger, time=20)
    stitched = driver.event("c1", "a@b", "u1", time=30)
    assert texts(stitched.new) == ["1:a@b"]
    assert texts(stitched.brought) == brought


def test_unknown_rids_and_identifiers_are_none() -> None:
    driver, *_ = two_and_a_bridge()
    assert driver.identity.by_rid(5) is None
    assert driver.identity.by_rid("nonsense") is None
    assert driver.identity.find([]) == []
    assert driver.identity.find([(0, "a@b")]) == []


def test_profiles_are_found_oldest_first_and_once() -> None:
    driver, elder, younger = two_and_a_bridge()
    found = driver.identity.find([(2, "u1"), (1, "a@b"), (0, "c1")])
    assert [profile[RID] for profile in found] == [elder[RID], younger[RID]]


# Refusals

EVENTS: dict[str, tuple[str | None, ...]] = {
    "found": ("c9",),
    "merge": ("c1", "a@b", "u9"),
}


@pytest.mark.parametrize("values", EVENTS.values(), ids=EVENTS)
def test_a_refused_event_changes_nothing(values: tuple[str | None, ...]) -> None:
    driver, *_ = two_and_a_bridge()
    before = driver.state()
    driver.refuses = True
    with pytest.raises(InterruptedError):
        driver.event(*values, time=99)
    assert driver.state() == before
    driver.identity.check()


def test_a_refusing_batch_table_changes_nothing() -> None:
    driver, *_ = two_and_a_bridge()
    before = driver.state()

    def refuse(identifiers: list[Identifier]) -> list[Identifier]:
        raise InterruptedError

    driver.identity.expand = refuse
    with pytest.raises(InterruptedError):
        driver.event("c1", "a@b", "u9", time=99)
    assert driver.state() == before


# Reading several profiles as one


def test_profiles_joined_for_a_read_are_what_a_merge_would_make() -> None:
    driver, *_ = two_and_a_bridge()
    before = driver.state()
    joined = driver.identity.joined(driver.identity.find([(2, "u1"), (0, "c1")]))
    assert driver.state() == before
    merged = driver.identity.join([(0, "c1"), (2, "u1")], time=20)
    assert joined == merged.profile


def test_what_is_joined_for_a_read_shares_nothing() -> None:
    driver, *_ = two_and_a_bridge()
    before = driver.state()
    row = driver.identity.joined(driver.identity.find([(2, "u1"), (0, "c1")]))
    for part in row[3:]:
        part.clear()
    assert driver.state() == before


def test_one_profile_is_read_as_it_is_and_none_is_none() -> None:
    driver, *_ = two_and_a_bridge()
    (profile,) = driver.identity.find([(0, "c1")])
    assert driver.identity.joined([profile]) is profile
    assert driver.identity.joined([]) is None


# Batch rows


def test_a_batch_row_of_strangers_waits() -> None:
    driver, *_ = two_and_a_bridge()
    before = driver.state()
    assert driver.identity.join([(2, "u7"), (1, "x@y")]) is None
    assert driver.state() == before


def test_a_batch_row_attaches_and_merges() -> None:
    driver, elder, younger = two_and_a_bridge()
    stitched = driver.identity.join([(2, "u1"), (0, "c1"), (1, "x@y"), (1, "x@y")])
    assert stitched.merged == (younger[RID],)
    assert stitched.new == stitched.brought == ((1, "x@y"),)
    assert not stitched.founded
    assert stitched.profile[RID] == elder[RID]
    assert stitched.profile[NEWEST] == 20
    assert stitched.profile[ABSORBED] == {younger[RID]: -1}
    assert driver.seen(stitched.profile) == {(0, "c1"): 10, (1, "a@b"): 20, (1, "x@y"): -1, (2, "u1"): 20}
    driver.identity.check()


def test_a_batch_row_that_says_nothing_new_changes_nothing() -> None:
    driver, *_ = two_and_a_bridge()
    before = driver.state()
    stitched = driver.identity.join([(2, "u1"), (1, "a@b")])
    assert (stitched.new, stitched.merged) == ((), ())
    assert driver.state() == before


def waiting(*rows: tuple[Identifier, ...]) -> Callable[[list[Identifier]], list[Identifier]]:
    """Return what names the identifiers that rows join to those given, through any number of rows."""

    def expand(given: list[Identifier]) -> list[Identifier]:
        reached = set(given)
        for _ in rows:
            reached.update(pair for row in rows if reached & set(row) for pair in row)
        return sorted(reached)

    return expand


def test_an_event_takes_waiting_rows_along() -> None:
    driver = Driver()
    driver.identity.expand = waiting(((1, "a@b"), (2, "u1")), ((2, "u1"), (0, "c7")), ((2, "u2"), (0, "c8")))
    stitched = driver.event("c1", "a@b", time=10)
    assert stitched.founded
    assert stitched.new == stitched.brought == ((0, "c1"), (1, "a@b"))
    assert stitched.joined == ((0, "c7"), (2, "u1"))
    assert driver.seen(stitched.profile) == {(0, "c1"): 10, (1, "a@b"): 10, (0, "c7"): -1, (2, "u1"): -1}
    driver.identity.check()


def test_a_waiting_row_can_merge_profiles() -> None:
    driver, elder, younger = two_and_a_bridge()
    driver.identity.expand = waiting(((1, "new@b"), (2, "u1"), (0, "c7")))
    stitched = driver.event("c1", "new@b", time=30)
    assert stitched.merged == (younger[RID],)
    assert stitched.profile[RID] == elder[RID]
    assert stitched.new == stitched.brought == ((1, "new@b"),)
    assert stitched.joined == ((0, "c7"),)
    driver.identity.check()


def test_a_waiting_row_adds_to_the_profiles_an_event_merges() -> None:
    driver, elder, younger = two_and_a_bridge()
    third = driver.event("c7", time=25).profile[RID]
    driver.identity.expand = waiting(((1, "new@b"), (0, "c7")))
    stitched = driver.event("c1", "new@b", "u1", time=30)
    assert stitched.merged == (younger[RID], third)
    assert stitched.profile[RID] == elder[RID]
    assert driver.identity.profile_count == 1
    driver.identity.check()


def test_a_waiting_row_can_lead_a_stranger_home() -> None:
    driver, _elder, younger = two_and_a_bridge()
    driver.identity.expand = waiting(((0, "c9"), (2, "u1")))
    stitched = driver.event("c9", time=30)
    assert not stitched.founded
    assert stitched.profile[RID] == younger[RID]
    assert driver.seen(stitched.profile)[(2, "u1")] == 20
    driver.identity.check()


def test_a_batch_row_takes_other_rows_along() -> None:
    driver, _elder, younger = two_and_a_bridge()
    driver.identity.expand = waiting(((1, "x@y"), (0, "c1")), ((1, "x@y"), (0, "c7")))
    stitched = driver.identity.join([(1, "x@y"), (2, "u1")])
    assert stitched.merged == (younger[RID],)
    assert stitched.joined == ((0, "c7"),)
    driver.identity.check()


def test_known_identifiers_ask_for_no_rows() -> None:
    driver, *_ = two_and_a_bridge()
    asked: list[object] = []
    driver.identity.expand = lambda given: asked.append(given) or []  # type: ignore[func-returns-value]
    driver.event("c1", time=30)
    driver.event("c1", "a@b", 7, time=30)
    driver.event("c1", "new@b", "u1", time=30)
    assert asked == [[(1, "new@b")]]


# Forgetting


def test_a_forgotten_profile_leaves_no_trace() -> None:
    driver, elder, younger = two_and_a_bridge()
    profile = driver.event("c1", "a@b", time=30).profile
    other = driver.event("c2", time=40).profile
    assert driver.identity.forget(profile) == (3, 1)
    assert driver.identity.by_rid(elder[RID]) is driver.identity.by_rid(younger[RID]) is None
    assert driver.identity.rids == {other[RID]: other}
    assert driver.partition() == {frozenset({(0, "c2")})}
    assert driver.identity.profile_count == 1
    driver.identity.check()
    assert driver.event("c1", time=50).founded


def test_no_text_of_a_result_shows_a_value() -> None:
    driver = Driver()
    stitched = driver.event("secret-1", "secret-2", 7, time=5)
    assert repr(stitched) == str(stitched) == "Stitched(2 new, 0 joined, 0 merged, 0 evicted, 1 failures)"
    assert "secret" not in repr(driver.identity)
    assert [key.name for key in ACCEPTED] == ["client", "email", "customer"]


def test_internal_keys_join_rows_only() -> None:
    driver = Driver([KeyRule("client"), KeyRule("canonical", internal=True)])
    driver.event("c1", time=5)
    driver.event("c2", time=6)
    driver.identity.join([(0, "c1"), (1, "i1")])
    stitched = driver.identity.join([(0, "c2"), (1, "i1")])
    assert len(stitched.merged) == 1
    assert driver.partition() == {frozenset({(0, "c1"), (0, "c2"), (1, "i1")})}
