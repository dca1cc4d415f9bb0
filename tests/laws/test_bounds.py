"""L8: no input makes a profile hold more bytes, packed, than the config's bound says."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from states import HALF, draw_events

from reactor import Reactor
from reactor.plan.size import profile_bytes
from reactor.testing.histories import START_MS, make_rows
from reactor.testing.strategies import make_config

SEEDS = st.integers(0, 2**32)
KEY_EVENTS = {"see": "t", "drop": {"table": "t", "where": "kind = 'drop'"}}


def assert_bounded(engine: Reactor) -> int:
    """Assert that every profile keeps the bound; return the bytes of the largest."""
    bound = sum(profile_bytes(engine.config).values())
    sizes = list(engine.packed_sizes().values())
    assert max(sizes, default=0) <= bound
    return max(sizes, default=0)


@given(SEEDS)
def test_l8_any_input(seed: int) -> None:
    """Random configs, rows and events, junk included, keep every profile within its bound.

    Would catch: an expired item that stays, deletes remembered without end, a pane a window no
    longer needs, an unusable value that is kept.
    """
    random = Random(seed)
    engine = Reactor(make_config(random))
    engine.import_batch(make_rows(random, lookup_key=str(engine.config.lookup_key)))
    for table, event in draw_events(random, 40, distinct=False):
        engine.process(event, table)
        assert_bounded(engine)


def stuffed(attribute: dict[str, Any], **limits: Any) -> Reactor:
    """Return an engine for one attribute and small limits."""
    return Reactor(
        {
            "version": 1,
            "name": "stuffed",
            "limits": {"value_bytes": 16, "identifier_bytes": 16, "associations": 6, **limits},
            "identity": {"keys": {"c": {}, "d": {}}},
            "key_events": KEY_EVENTS,
            "attributes": {"it": attribute},
        }
    )


@HALF
@given(st.sampled_from([1, 3, 100]), st.booleans(), SEEDS)
def test_l8_a_list_filled_to_the_brim(max_items: int, unique: bool, seed: int) -> None:
    """The longest items with the longest fields, deleted and sent again, late and in time."""
    random = Random(seed)
    attribute = {
        "type": "list",
        "on": "see",
        "item": "v",
        "fields": ["p"],
        "unique": unique,
        "max_items": max_items,
        "delete_on": "drop",
        "aggregations": {"all": {"distinct": "item"}},
    }
    engine = stuffed(attribute)
    for number in range(30):
        text = f"{random.randrange(200):016d}"
        value = random.choice((text, [f"{place:016d}" for place in range(random.choice((10, 1000)))]))
        event = {
            "c": "1",
            "v": value,
            "p": ["x" * 16] * random.choice((1, 1000)),
            "time": 10**9 + random.randrange(99),
        }
        if random.random() < 0.4:
            event["kind"] = "drop"
        engine.process(event)
        if number % 5 == 4:
            assert_bounded(engine)


def test_l8_a_counter_in_every_pane() -> None:
    """An event in every pane of every window, with sums as wide as they can be, forward and then late."""
    attribute = {
        "type": "counter",
        "on": "see",
        "increment": "n",
        "decimals": 9,
        "window": "3d",
        "sub_windows": {"minutes": "10m", "hours": "5h"},
    }
    engine = stuffed(attribute)
    start = START_MS // 1000
    day = 86_400
    seconds = [*range(0, 3 * day, 600), *range(3 * day, 3 * day + 700)]
    for second in [*seconds, *range(3 * day, 0, -613)]:
        engine.process({"c": "1", "n": 10**12, "time": start + second})
    assert_bounded(engine)
    # Month after month an event an hour: what no window reaches any more must go.
    for hour in range(24 * 100):
        engine.process({"c": "1", "n": 10**12, "time": start + 4 * day + 3_600 * hour})
    assert_bounded(engine)


def test_l8_identifiers() -> None:
    """A profile that ever more identifiers and profiles join holds no more of them than the cap."""
    engine = stuffed({"type": "total", "on": "see"})
    for number in range(200):
        engine.process({"d": f"{number:016d}", "time": number})
        engine.process({"c": "1" * 16, "d": f"{number:016d}", "time": number})
        assert_bounded(engine)
    view = engine.profile({"c": "1" * 16})
    assert view is not None
    assert sum(map(len, view.keys.values())) <= 6


def test_l8_the_bound_is_near() -> None:
    """A list of the longest texts takes most of what the bound allows it: the bound is no guess."""
    attribute = {
        "type": "list",
        "on": "see",
        "item": "v",
        "max_items": 100,
        "aggregations": {"all": {"count": "item"}},
    }
    engine = stuffed(attribute, value_bytes=2048)
    for number in range(100):
        engine.process({"c": "1", "v": f"{number:02048d}", "time": number})
    bound = profile_bytes(engine.config)
    assert assert_bounded(engine) > 0.9 * bound["it"]
