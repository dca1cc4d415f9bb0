"""The funnel: what it counts is what explanations say event by event, and what a moved bound gives."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from reactor import Config, Reactor, ReactorError, simulate
from reactor.explain import Node
from reactor.replay import funnel

CONFIG: dict[str, Any] = {
    "version": 1,
    "name": "shop",
    "identity": {"keys": {"c": {}}},
    "key_events": {
        "buy": {"table": "t", "where": "amount > 0"},
        "see": {"table": "t", "where": "amount = 0"},
    },
    "attributes": {
        "spend": {"type": "counter", "on": "buy", "increment": "amount", "decimals": 2, "window": "1d"},
        "visits": {"type": "counter", "on": ["buy", "see"], "window": "1h"},
        "page": {"type": "single", "on": "see", "value": "page", "dtype": "string", "sensitive": True},
        "open": {"type": "single", "on": "see", "value": "page", "dtype": "string", "ttl": "2h"},
    },
    "personalizations": {"p": {"sections": {}}},
}
CRITERIA = (
    "spend >= 40 AND before.spend < 40",
    "(spend > 60.5 OR visits >= 4) AND open IN ('a', 'b')",
    "NOT (visits < 3) AND 20 < spend",
    "open.time < now - INTERVAL '10' MINUTE AND visits >= 2",
    "spend / nullif(visits, 0) >= 12.5",
    "open IS NULL OR visits <= 2",
)
WHERES = (None, "amount < 30", {"buy": "amount < 30", "see": "page <> 'c'"})


def config_for(when: str, where: Any = None, on: Any = None) -> dict[str, Any]:
    """Return the config with one section."""
    section: dict[str, Any] = {"when": when, "payload": {"strings": {"a": "b"}}}
    if on is not None:
        section["on"] = on
    if where is not None:
        section["where"] = where
    return {**CONFIG, "personalizations": {"p": {"sections": {"s": section}}}}


def history(seed: int, count: int = 150) -> list[dict[str, Any]]:
    """Draw events of few customers, in order."""
    random = Random(seed)
    time, events = 1_700_000_000, []
    for _ in range(count):
        time += random.choice((1, 60, 600, 4_000))
        event = {"c": random.choice("123"), "time": time, "amount": random.choice((0, 0, 5, 9.99, 20, 35))}
        if random.random() < 0.7:
            event["page"] = random.choice("abc")
        events.append(event)
    return events


def leaves_of(node: Node | None, found: dict[int, Node]) -> None:
    """Note the leaves of a tree by number."""
    if node is None:
        return
    if node.leaf is not None:
        found[node.leaf] = node
    for each in node.nodes:
        leaves_of(each, found)


@pytest.mark.parametrize("when", CRITERIA)
@pytest.mark.parametrize("where", WHERES, ids=("bare", "where", "by key event"))
def test_counts_are_those_of_explanations(when: str, where: Any) -> None:
    """Truths of every leaf, events and offers, against an explanation of every event."""
    on = ["buy", "see"]
    config, events = config_for(when, where, on), history(1)
    counts = funnel(config, events, "s", audience="private")
    engine = Reactor(config)
    truths: Counter[tuple[str, str, str]] = Counter()
    alone: Counter[tuple[str, str]] = Counter()
    seen = offered = 0
    for event in events:
        why = engine.explain(event, audience="private").section("s")
        engine.process(event)
        if why.verdict == "other_event":
            continue
        seen += 1
        offered += why.matched
        wheres: dict[int, Node] = {}
        whens: dict[int, Node] = {}
        leaves_of(why.where, wheres)
        leaves_of(why.when, whens)
        for criterion, found in (("where", wheres), ("when", whens)):
            for leaf in found.values():
                truths[criterion, leaf.text, str(leaf.truth)] += 1
        for way in why.ways or ():
            if len(way.needs) == 1:
                criterion = "when" if way.needs[0].leaf in whens else "where"
                alone[criterion, way.needs[0].text] += 1
    assert (counts.events, counts.offered) == (seen, offered)
    for leaf in counts.leaves:
        key = (leaf.criterion, leaf.text)
        expected = tuple(truths[(*key, truth)] for truth in ("true", "false", "unknown"))
        assert (leaf.true, leaf.false, leaf.unknown) == expected, key
        assert leaf.alone == alone[key] or "before." in leaf.text, key
    if counts.steps:
        assert counts.steps[-1].left == offered


@pytest.mark.parametrize("when", CRITERIA)
def test_a_moved_bound_gives_what_a_near_miss_says(when: str) -> None:
    """Each near miss, written into the config, offers as many events more as it says."""
    events, moved = history(2), 0
    before = simulate(config_for(when), events).offers.height
    for leaf in funnel(config_for(when), events, "s", audience="private").leaves:
        for near in leaf.near:
            written = when.replace(leaf.text, near.text)
            assert written != when
            assert simulate(config_for(written), events).offers.height == before + near.more, near.text
            moved += 1
    assert moved or "IS NULL" in when or "before" in when


def test_public_funnels_hide_what_tells_of_a_sensitive_value() -> None:
    """The truths of a sensitive leaf, and what is reckoned from them, are redacted."""
    config = config_for("page = 'a' AND visits >= 2")
    first = history(3)
    names = {"a": "x", "b": "y", "c": "z"}
    other = [{name: names.get(str(value), value) for name, value in event.items()} for event in first]
    hidden = config_for("(page = 'a' OR visits >= 1) AND visits >= 2")
    one, two = (funnel(hidden, events, "s") for events in (first, other))
    assert one.json() == two.json()
    assert one.text() == two.text()
    counts = funnel(config, first, "s")
    assert counts.leaves[0].redacted
    assert counts.leaves[0].true is None
    assert counts.leaves[1].true is not None
    assert counts.steps == ()
    assert "redacted" in counts.text()
    assert "a" not in repr(counts).replace("Funnel()", "")


def test_an_unknown_section_is_named() -> None:
    """The error says which sections there are."""
    with pytest.raises(ReactorError, match=r'no section "S" \(did you mean "s"\?\)'):
        funnel(config_for(CRITERIA[0]), history(1), "S")


def test_a_section_without_on_counts_every_event(tmp_path: Path) -> None:
    """And bounds of `since` and `limit` are those of a simulation."""
    config = Config.parse(config_for("visits >= 2"))
    events = history(4)
    whole = funnel(config, events, "s")
    assert (whole.on, whole.events) == (None, len(events))
    since = events[100]["time"]
    assert funnel(config, events, "s", since=since).events == 50
    assert funnel(config, events, "s", limit=30).events == 30
