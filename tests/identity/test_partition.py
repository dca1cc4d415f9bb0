"""The partition of identifiers is that of connected components, whatever the order of the links.

Above the ceiling on associations that can't be; there the reference model decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations, permutations, product
from types import SimpleNamespace

import numpy as np
from driver import ACCEPTED, Driver
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from reactor.identity import ABSORBED, CREATED, NEWEST, RID, Identifier, KeyRule, format_rid
from reactor.testing.reference_identity import Identity as ReferenceIdentity

Values = tuple[str | None, ...]  # by key

TIMES = st.integers(1_000, 1_020)
NAMES = [key.name for key in ACCEPTED]


def values(few: str) -> st.SearchStrategy[Values]:
    """Draw the identifiers of an event, from `few` values a key."""
    one = st.none() | st.sampled_from(few)
    return st.tuples(one, one, one)


def components(events: Iterable[Values]) -> set[frozenset[Identifier]]:
    """Return the connected components of the identifiers that stand together in an event, by scipy."""
    groups = [[(k, value) for k, value in enumerate(event) if value is not None] for event in events]
    numbers = {pair: number for number, pair in enumerate(dict.fromkeys(pair for g in groups for pair in g))}
    links = [(numbers[group[0]], numbers[pair]) for group in groups for pair in group]
    if not links:
        return set()
    rows, columns = np.array(links).T
    graph = coo_array((np.ones(len(links)), (rows, columns)), shape=(len(numbers), len(numbers)))
    _, labels = connected_components(graph, directed=False)
    parts: dict[int, set[Identifier]] = {}
    for pair, number in numbers.items():
        parts.setdefault(labels[number], set()).add(pair)
    return {frozenset(part) for part in parts.values()}


def drive(events: Sequence[tuple[Values, int]], *, associations: int = 200) -> Driver:
    """Let events happen, checking every invariant after each."""
    driver = Driver(associations=associations)
    for held, time in events:
        driver.event(*held, time=time)
        driver.identity.check()
    return driver


@given(st.lists(st.tuples(values("pqrstuv"), TIMES), max_size=30), st.randoms(use_true_random=False))
def test_partitions_are_connected_components_in_any_order(events: list[tuple[Values, int]], random) -> None:
    """Law L1: order changes neither the partition, nor `created`, nor what each profile has seen."""
    expected = components(held for held, _ in events)
    found = []
    for _ in range(2):
        driver = drive(events)
        assert driver.partition() == expected
        found.append(
            sorted(
                (profile[CREATED], profile[NEWEST], sorted(driver.seen(profile).items()))
                for profile in driver.identity.profiles()
            )
        )
        random.shuffle(events)
    assert found[0] == found[1]


@given(st.lists(st.tuples(values("pqrstuv"), TIMES), max_size=30))
def test_every_event_ends_in_the_one_profile_that_holds_its_identifiers(
    events: list[tuple[Values, int]],
) -> None:
    """What a merge callback makes of rows arrives whole: no event is lost, none is counted twice."""
    driver = drive(events)
    for number, (held, _) in enumerate(events):
        for pair in enumerate(held):
            if pair[1] is not None:
                (profile,) = driver.identity.find([pair])
                assert profile[-1].count(number) == 1
    anonymous = sum(held == (None, None, None) for held, _ in events)
    assert sum(len(profile[-1]) for profile in driver.identity.profiles()) == len(events) - anonymous


def test_every_small_graph_in_every_order() -> None:
    """All graphs of up to three links over two values a key of two, in every order."""
    links = list(product("pq", "pq"))
    alone = [("p", None), ("q", None), (None, "p"), (None, "q")]
    for size in range(4):
        for chosen in combinations([*links, *alone], size):
            expected = components(chosen)
            for order in permutations(chosen):
                driver = Driver(ACCEPTED[:2])
                for number, held in enumerate(order):
                    driver.event(*held, time=number)
                assert driver.partition() == expected, order
                driver.identity.check()


@given(st.lists(st.tuples(values("pqrst"), TIMES), max_size=20))
def test_in_time_order_the_first_event_names_the_profile(events: list[tuple[Values, int]]) -> None:
    """Law L2 for rids: profiles joined late have the rid they would have had, joined from the start."""
    events.sort(key=lambda event: event[1])
    events = [(held, 1_000 + number) for number, (held, _) in enumerate(events)]
    driver = drive(events)
    for profile in driver.identity.profiles():
        founder, time = events[min(profile[-1])]
        alone = Driver().event(*founder, time=time).profile
        assert profile[RID] == alone[RID]
        assert profile[CREATED] == time


@given(st.lists(st.tuples(values("pqr"), TIMES), max_size=25))
def test_the_same_arrivals_make_the_same_rids(events: list[tuple[Values, int]]) -> None:
    first, second = drive(events), drive(events)
    assert first.state() == second.state()
    for rid, profile in first.identity.rids.items():
        assert first.identity.by_rid(format_rid(rid)) is profile
        assert rid == profile[RID] or rid in profile[ABSORBED]


Row = tuple[tuple[int, str], ...]
SOME = st.tuples(st.integers(0, 2), st.sampled_from("pqr"))
STEP = st.tuples(values("pqr"), TIMES) | st.lists(SOME, min_size=1, max_size=3, unique=True).map(tuple)


@given(st.lists(STEP, max_size=25), st.integers(1, 6), st.sampled_from([None, 0, 1, 2]))
def test_the_reference_agrees_also_above_the_ceiling(
    steps: list[tuple[Values, int] | Row], associations: int, lookup: int | None
) -> None:
    """Events and batch rows by turns: the same profiles, the same changes, the same evictions."""
    driver = Driver(lookup=lookup, associations=associations)
    lookup_name = None if lookup is None else NAMES[lookup]
    model = ReferenceIdentity(NAMES, lookup_name, "secret", associations)
    rows: list[list[tuple[str, str]]] = []
    for step in steps:
        if isinstance(step[0][0], int):
            rows.append([(NAMES[k], value) for k, value in step])
            driver.identity.expand = expander(rows)
            assert (driver.identity.join(step) is not None) == model.join_row(rows[-1], rows)
        else:
            held, time = step
            changed = driver.event(*held, time=time)
            named = [(NAMES[k], value) for k, value in enumerate(held) if value is not None]
            if named:
                expect(changed, model.arrive(SimpleNamespace(time_ms=time), named, rows))
        driver.identity.check()
        assert profiles_of(driver) == profiles_of_model(model)


def expect(changed, change) -> None:
    """Compare what an event changed with what the reference says it did."""
    assert format_rid(changed.profile[RID]) == change.profile.rid
    assert changed.founded == change.founded
    assert [format_rid(rid) for rid in changed.merged] == change.absorbed
    assert [(NAMES[k], value) for k, value in changed.brought] == change.brought
    joined = {(NAMES[k], value) for k, value in (*changed.new, *changed.joined)}
    assert joined == set(change.joined)
    assert [(NAMES[k], value) for k, value in changed.evicted] == change.evicted


def expander(rows: list[list[tuple[str, str]]]):
    """Return what names the identifiers that rows join to those given, transitively."""

    def expand(given: list[Identifier]) -> list[Identifier]:
        reached = {(NAMES[k], value) for k, value in given}
        for _ in rows:
            reached.update(pair for row in rows if reached & set(row) for pair in row)
        return [(NAMES.index(name), value) for name, value in sorted(reached)]

    return expand


def profiles_of(driver: Driver) -> dict[str, object]:
    return {
        format_rid(profile[RID]): (
            {(NAMES[k], value): time for (k, value), time in driver.seen(profile).items()},
            {format_rid(rid): time for rid, time in (profile[ABSORBED] or {}).items()},
        )
        for profile in driver.identity.profiles()
    }


def profiles_of_model(model: ReferenceIdentity) -> dict[str, object]:
    return {rid: (profile.keys, profile.merged) for rid, profile in model.profiles.items()}


def test_a_long_chain_is_one_profile() -> None:
    """Each link re-points the smaller side: the whole is one component, seen from any end."""
    size = 99
    for order in (range(size), reversed(range(size)), sorted(range(size), key=lambda n: n % 7)):
        driver = Driver([KeyRule("a"), KeyRule("b")], associations=1_000)
        for number in order:
            driver.event(f"{number}", f"{number}", time=5)
            driver.event(f"{number}", f"{number + 1}", time=5)
        assert len(driver.partition()) == 1
        assert driver.identity.profile_count == 1
        driver.identity.check()
