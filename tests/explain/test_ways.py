"""What would have to change: enough, and no more than needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, combinations, product
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor import Reactor
from reactor.explain import Explanation, Node, SectionWhy

SEEDS = st.integers(0, 2**32)
HALF = settings(max_examples=settings.default.max_examples // 2)
DTYPES = {
    **{f"n{number}": "number" for number in range(4)},
    **{f"s{number}": "string" for number in range(3)},
    "b0": "boolean",
    "b1": "boolean",
    "t0": "timestamp",
    "t1": "timestamp",
    "ls": "strings",
    "ln": "numbers",
}
VALUES: dict[str, Sequence[object]] = {
    "number": (0, 1, 2.5, 50, 100, -3, None),
    "string": ("a", "b", "gold", "", None),
    "boolean": (True, False, None),
    "timestamp": ("2024-01-01", "2023-11-14T22:13:20Z", "2022-06-01", None),
    "strings": (["a"], ["a", "b"], [], None),
    "numbers": ([1], [1, 100], [], None),
}
LEAVES = {
    "number": (
        "{x} > 100", "{x} >= 50", "{x} < 50", "{x} <= 0", "{x} = 7", "{x} <> 0", "{x} IS NULL",
        "{x} BETWEEN 10 AND 60", "{x} IN (1, 2)", "NOT {x} IN (0, 50)", "{x} / 2 > 10", "abs({x}) < 1",
        "coalesce({x}, 0) >= 5", "50 < {x}",
    ),
    "string": (
        "{x} = 'gold'", "{x} <> 'a'", "{x} IN ('silver', 'gold')", "{x} LIKE '%old'", "{x} IS NOT NULL",
        "starts_with({x}, 'go')", "regexp_like({x}, '^g.*d$')", "upper({x}) = 'GOLD'", "length({x}) > 3",
        "{x} IS DISTINCT FROM 'a'", "{x} NOT LIKE 'g_ld'",
    ),
    "boolean": ("{x}", "NOT {x}", "{x} IS TRUE", "({x} IS FALSE)", "({x}) IS NOT TRUE"),
    "timestamp": (
        "{x} < now - INTERVAL '30' DAY", "{x} > TIMESTAMP '2023-12-01'", "now - {x} < INTERVAL '2' DAY",
        "{x} IS NULL",
    ),
    "strings": ("contains({x}, 'c')", "NOT contains({x}, 'a')", "{x} = 'b'", "cardinality({x}) >= 3"),
    "numbers": ("contains({x}, 100)", "{x} > 60", "cardinality({x}) = 0", "{x} NOT IN (1, 2)"),
}  # fmt: skip
NOW = 1_704_200_000


def condition(random: Random, depth: int, names: list[str]) -> str:
    """Draw a condition; names: those that may be read, each used up if it is drawn."""
    if depth == 0 or random.random() < 0.2 or len(names) < 2:
        name = random.choice(names)
        return random.choice(LEAVES[DTYPES[name]]).format(x=name)
    word = random.choice(("AND", "AND", "OR", "OR", "NOT", "TRUE"))
    if word in ("AND", "OR"):
        parts = [condition(random, depth - 1, names) for _ in range(random.randint(2, 3))]
        return "(" + f" {word} ".join(parts) + ")"
    inner = condition(random, depth - 1, names)
    return f"NOT ({inner})" if word == "NOT" else f"(({inner}) IS {random.choice(('TRUE', 'NOT FALSE'))})"


def engine_for(when: str) -> Reactor:
    """Return an engine with one section, and imported attributes of every type."""
    return Reactor(
        {
            "version": 1,
            "name": "ways",
            "identity": {"lookup_key": "u", "keys": {"u": {}}},
            "key_events": {"see": "t"},
            "attributes": {name: {"type": "imported", "dtype": dtype} for name, dtype in DTYPES.items()},
            "segments": {"s1": "one"},
            "personalizations": {
                "p": {"sections": {"s": {"when": when, "payload": {"strings": {"a": "b"}}}}}
            },
        }
    )


def explain(engine: Reactor) -> Explanation:
    """Explain the same event again and again."""
    return engine.explain({"u": "1", "time": NOW}, audience="private")


def evaluate(node: Node, truths: dict[int, str]) -> str:
    """Return what a tree as it is shown comes to, by SQL's tables, written out here once more."""
    if node.mark == "leaf":
        assert node.leaf is not None
        return truths[node.leaf]
    inner = [evaluate(each, truths) for each in node.nodes]
    if node.mark == "not":
        return {"true": "false", "false": "true", "unknown": "unknown"}[inner[0]]
    if node.mark in ("is true", "is false", "is null"):
        wanted = {"is true": "true", "is false": "false", "is null": "unknown"}[node.mark]
        return "true" if inner[0] == wanted else "false"
    first, last = ("false", "true") if node.mark == "and" else ("true", "false")
    return first if first in inner else "unknown" if "unknown" in inner else last


def leaves(node: Node) -> Iterator[tuple[int, str]]:
    """Yield (number, truth) of the leaves."""
    if node.mark == "leaf":
        assert node.leaf is not None
        assert node.truth is not None
        yield node.leaf, node.truth
    for each in node.nodes:
        yield from leaves(each)


def flips(tree: Node, truths: dict[int, str], changed: Sequence[int]) -> bool:
    """Tell whether some other truths of these leaves make the tree true, all others staying as they are."""
    others = [[truth for truth in ("true", "false", "unknown") if truth != truths[leaf]] for leaf in changed]
    return any(
        evaluate(tree, {**truths, **dict(zip(changed, chosen, strict=True))}) == "true"
        for chosen in product(*others)
    )


def smallest(tree: Node, truths: dict[int, str]) -> set[frozenset[int]]:
    """Return the smallest sets of leaves that make the tree true, by trying all."""
    found: set[frozenset[int]] = set()
    for size in range(len(truths) + 1):
        for chosen in combinations(sorted(truths), size):
            if not any(fewer <= set(chosen) for fewer in found) and flips(tree, truths, chosen):
                found.add(frozenset(chosen))
    return found


def check_ways(why: SectionWhy) -> None:
    """Check the ways against trying all truths of all leaves."""
    assert why.when is not None
    assert why.ways is not None
    truths = dict(leaves(why.when))
    assert evaluate(why.when, truths) == why.when.truth
    sets = [frozenset(need.leaf for need in way.needs) for way in why.ways]
    assert sizes(sets) == sorted(sizes(sets))
    for way in why.ways:
        wanted = [need.leaf for need in way.needs]
        parts = chain.from_iterable(combinations(wanted, size) for size in range(len(wanted)))
        possible = [part for part in parts if flips(why.when, truths, part)]
        # A part that would do by truths alone is one that no values can bring about.
        assert all(frozenset(part) not in sets for part in possible)


def sizes(sets: Sequence[frozenset[int]]) -> list[int]:
    """Return how many leaves each has."""
    return [len(each) for each in sets]


@HALF
@given(SEEDS)
def test_a_stated_change_is_enough(seed: int) -> None:
    """With the values of a way's example, imported, the section is offered.

    Would catch: a way that forgets a leaf, a bound that is off by one, leaves that can't hold together.
    """
    random = Random(seed)
    engine = engine_for(condition(random, random.randint(0, 3), list(DTYPES)))
    row = {"u": "1", **{name: random.choice(VALUES[dtype]) for name, dtype in DTYPES.items()}}
    engine.import_batch([row])
    why = explain(engine).section("s")
    check_ways(why)
    for way in why.ways or ():
        assert not way.example or way.proven
        if way.proven:
            engine.import_batch([{**row, **way.example}])
            assert explain(engine).section("s").matched, (why.when, way.example)


@HALF
@given(SEEDS)
def test_no_smaller_set_is_enough_and_none_is_missing(seed: int) -> None:
    """Where no two leaves share a name, the ways are exactly the smallest sets of leaves that there are.

    Would catch: a way with a leaf too many, a way that is left out, three-valued logic gone wrong.
    """
    random = Random(seed)
    names = random.sample(sorted(DTYPES), random.randint(2, 5))
    parts = [random.choice(LEAVES[DTYPES[name]]).format(x=name) for name in names]
    while len(parts) > 1:
        one, other = parts.pop(random.randrange(len(parts))), parts.pop(random.randrange(len(parts)))
        parts.append(random.choice(("({0} AND {1})", "({0} OR {1})", "NOT ({0} AND {1})")).format(one, other))
    engine = engine_for(parts[0])
    engine.import_batch([{"u": "1", **{name: random.choice(VALUES[DTYPES[name]]) for name in names}}])
    why = explain(engine).section("s")
    assert why.when is not None
    assert why.ways is not None
    truths = dict(leaves(why.when))
    if why.matched:
        assert why.ways == ()
        return
    found = {frozenset(need.leaf for need in way.needs) for way in why.ways}
    expected = smallest(why.when, truths)
    if why.more:
        assert found <= expected
    else:
        # Some truths no value gives: `coalesce(n, 0) >= 5` is never unknown, `s IS NULL` neither.
        assert found <= expected
        for missing in expected - found:
            assert any(
                "IS" in leaf.text or "coalesce" in leaf.text or "cardinality" in leaf.text
                for leaf in shown_leaves(why.when)
                if leaf.leaf in missing
            ), missing


def shown_leaves(node: Node) -> Iterator[Node]:
    """Yield the leaves of a tree."""
    if node.mark == "leaf":
        yield node
    for each in node.nodes:
        yield from shown_leaves(each)


@pytest.mark.parametrize(
    "when",
    [
        "n0 > 100 AND n0 < 50",
        "n0 = 1 AND n0 = 2",
        "s0 = 'a' AND s0 IN ('b', 'c')",
        "b0 AND n0 > 1 AND NOT b0",
        "n0 IS NULL AND n0 > 1",
        "t0 < TIMESTAMP '2023-01-01' AND t0 > now - INTERVAL '1' DAY",
        "n0 >= 5 AND n0 <= 5 AND n0 <> 5",
        "s0 = 'a' AND NOT s0 IS NOT DISTINCT FROM 'a'",
    ],
)
def test_what_no_value_can_bring_about_is_no_way(when: str) -> None:
    """Leaves that can't hold together are not offered as a way out."""
    engine = engine_for(when)
    engine.import_batch([{"u": "1", "n0": 80, "s0": "x", "b0": False, "t0": "2023-06-01"}])
    why = explain(engine).section("s")
    assert not why.matched
    assert why.ways == ()


@pytest.mark.parametrize(
    ("when", "value"),
    [
        ("n0 * n0 = 2209", {"n0": 47}),
        ("s0 LIKE 'z_q%9' AND s0 <> 'zqq9'", {"s0": "zaq_9"}),
        ("regexp_like(s0, '^[^a-x]{2}[0-9]y$')", {"s0": "zz7y"}),
        ("s0 > 'p' AND s0 < 'pa'", {"s0": "p!"}),
    ],
)
def test_a_way_whose_values_are_hard_to_find_is_a_way(when: str, value: dict[str, object]) -> None:
    """Where values exist and may not be found by trying, the way is listed, proven or not.

    Would catch: a leaf taken for one that a few values decide.
    """
    engine = engine_for(when)
    engine.import_batch([{"u": "1", "n0": 1, "s0": "a"}])
    assert explain(engine).section("s").ways
    engine.import_batch([{"u": "1", **value}])
    assert explain(engine).section("s").matched


@pytest.mark.parametrize(
    ("when", "row", "text", "by"),
    [
        ("n0 >= 100", {"n0": 80}, "n0 is 80, needs at least 100 (20 more)", 20),
        ("n0 > 100", {"n0": 99.9}, "n0 is 99.9, needs more than 100 (over 0.1 more)", 0.1),
        ("n0 < 5", {"n0": 7}, "n0 is 7, needs less than 5 (over 2 less)", 2),
        ("100 <= n0", {"n0": 80}, "n0 is 80, needs at least 100 (20 more)", 20),
        ("NOT n0 >= 100", {"n0": 120.5}, "n0 is 120.5, needs less than 100 (over 20.5 less)", 20.5),
        ("n0 >= n1", {"n0": 1, "n1": 3}, "n0 is 1, needs at least n1, which is 3 (2 more)", 2),
        ("n0 BETWEEN 10 AND 20", {"n0": 25}, "n0 is 25, needs 10 to 20 (5 less)", 5),
        ("s0 IN ('gold', 'silver')", {}, "s0 is unset, needs one of 'gold', 'silver'", None),
        ("s0 = 'gold'", {"s0": "tin"}, "s0 is 'tin', needs 'gold'", None),
        ("s0 LIKE '%old'", {"s0": "tin"}, "s0 is 'tin', needs to look like '%old'", None),
        ("s0 NOT LIKE 't%'", {"s0": "tin"}, "s0 is 'tin', needs not to look like 't%'", None),
        ("regexp_like(s0, '^g')", {"s0": "tin"}, "s0 is 'tin', needs to match '^g'", None),
        ("s0 IS NULL", {"s0": "tin"}, "s0 is 'tin', needs to be unset", None),
        ("b0", {"b0": False}, "b0 is false, needs true", None),
        ("segment('s1')", {}, "the profile is not in segment('s1'), needs to be in it", None),
        ("contains(ls, 'c')", {"ls": ["a", "b"]}, "ls is ['a', 'b'], needs 'c' among its values", None),
        ("cardinality(ls) >= 5", {"ls": ["a"]}, "cardinality(ls) is 1, needs at least 5 (4 more)", 4),
        (
            "t0 > TIMESTAMP '2024-01-02'",
            {"t0": "2024-01-01"},
            "t0 is 2024-01-01T00:00:00.000Z, needs to be after 2024-01-02T00:00:00.000Z (over 1d later)",
            86_400_000,
        ),
        ("n0 / 2 > 10", {"n0": 8}, "n0 / 2 is 4, needs more than 10 (over 6 more)", 6),
    ],
)  # fmt: skip
def test_distances(when: str, row: dict[str, Any], text: str, by: float | None) -> None:
    """A distance says what is, what is needed, and how much is missing."""
    engine = engine_for(when)
    engine.import_batch([{"u": "1", **row}])
    (way,) = explain(engine).section("s").ways or ()
    (need,) = way.needs
    assert need.distance.text == text
    assert need.distance.by == by
    assert way.proven


def moving(when: str) -> Reactor:
    """Return an engine whose section depends on what events move."""
    return Reactor(
        {
            "version": 1,
            "name": "moving",
            "identity": {"keys": {"c": {}}},
            "key_events": {"see": "t", "buy": {"table": "t", "where": "amount > 0"}},
            "attributes": {
                "visits": {"type": "counter", "on": "see", "window": "7d", "sub_windows": {"hour": "1h"}},
                "spend": {"type": "total", "on": "buy", "increment": "amount", "discard": "60d"},
                "page": {"type": "single", "on": "see", "value": "page", "dtype": "string"},
                "seen": {
                    "type": "list",
                    "on": "see",
                    "item": "page",
                    "aggregations": {"all": {"distinct": "item"}},
                },
            },
            "personalizations": {
                "p": {"sections": {"s": {"when": when, "payload": {"strings": {"a": "b"}}}}}
            },
        }
    )


def offered(engine: Reactor) -> bool:
    """Tell whether a read offers the section."""
    return "s" in engine.offers({"c": "1"}).offers


@HALF
@given(st.integers(1, 5), st.integers(1, 9), st.integers(0, 4000), st.booleans())
def test_events_that_bring_what_is_missing_are_enough(
    visits: int, wanted: int, cents: int, is_strict: bool
) -> None:
    """As many events as a counter lacks, or what a total lacks, flip the section; less does not."""
    engine = moving(f"visits.hour >= {wanted}")
    for second in range(visits):
        engine.process({"c": "1", "page": "/a", "time": 1_700_000_000 + second})
    why = engine.explain(keys={"c": "1"}, audience="private").section("s")
    missing = int(why.ways[0].needs[0].distance.by or 0) if why.ways else 0
    assert missing == max(0, wanted - visits)
    for _ in range(missing):
        assert not offered(engine)
        engine.process({"c": "1", "page": "/a", "time": 1_700_000_010})
    assert offered(engine)

    engine = moving(f"spend {'>' if is_strict else '>='} 50")
    engine.process({"c": "1", "amount": cents / 100, "time": 1_700_000_000})
    why = engine.explain(keys={"c": "1"}, audience="private").section("s")
    assert why.ways is not None
    missing_sum = float(why.ways[0].needs[0].distance.by or 0)
    engine.process({"c": "1", "amount": round(missing_sum - 0.01, 2), "time": 1_700_000_001})
    assert not offered(engine)
    engine.process({"c": "1", "amount": 0.02 if is_strict else 0.01, "time": 1_700_000_002})
    assert offered(engine)


@pytest.mark.parametrize("when", ["page = '/shop'", "page LIKE '/s%p'", "contains(seen.all, '/shop')"])
def test_an_event_that_sets_what_is_missing_is_enough(when: str) -> None:
    """A single, or an item of a list, set as the way's example says."""
    engine = moving(when)
    engine.process({"c": "1", "page": "/a", "time": 1_700_000_000})
    (way,) = engine.explain(keys={"c": "1"}, audience="private").section("s").ways or ()
    (value,) = way.example.values()
    page = value if isinstance(value, str) else value[-1]
    engine.process({"c": "1", "page": page, "time": 1_700_000_001})
    assert offered(engine)
