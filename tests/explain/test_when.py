"""When an answer changes by itself, against brute force over every edge there can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor import Reactor
from reactor.explain import Turn
from reactor.spec.model import Counter, ListAttribute, Single, Total
from reactor.testing.histories import CUSTOMERS, START_MS, Times, make_event, make_rows
from reactor.testing.strategies import Choice, make_config, part_types
from reactor.units import MAX_TIME_MS, parse_time

SEEDS = st.integers(0, 2**32)
FEW = settings(max_examples=max(settings.default.max_examples // 6, 10))
MOMENTS = ("2023-11-04", "2023-11-04T12:13:20.5Z", "2023-11-05", "2023-11-05 10:00:00.5+01:00", "2023-11-06")
STEPS_MS = (0, 1_000, 60_000, 3_600_000, 86_400_000, 172_800_000)

# Conditions that turn with `now`, in every form in which a time can be reckoned from it.
TURNING = (
    "{t} < now - INTERVAL '1' DAY",
    "now - {t} BETWEEN INTERVAL '1' MINUTE AND INTERVAL '1' HOUR",
    "NOT now - INTERVAL '1' SECOND > {t}",
    "{t} + INTERVAL '2' DAY = now",
    "greatest({t}, now - INTERVAL '1' HOUR) > TIMESTAMP '2023-11-05'",
    "CASE WHEN now > TIMESTAMP '2023-11-05' THEN {t} ELSE now END < TIMESTAMP '2023-11-06'",
    "nullif(now, TIMESTAMP '2023-11-06') IS NULL",
    "coalesce({t}, now) IN (TIMESTAMP '2023-11-06', TIMESTAMP '2023-11-05')",
    "least(now, {t}) <> {t} OR now >= TIMESTAMP '2023-11-06'",
    "now - (now - {t}) = {t} AND now < TIMESTAMP '2023-11-05 10:00:00'",
    "event.seen < now",
    "age > INTERVAL '1' DAY",
)


def with_turning(random: Random, config: dict[str, Any]) -> None:
    """Add sections whose answers turn with `now`, and a computed attribute that is reckoned from it."""
    attributes = config["attributes"]
    kept = {name: each for name, each in attributes.items() if each["type"] != "computed"}
    times = [name for name, kind in part_types(kept).items() if kind == "timestamp"]
    times += [f"{name}.time" for name in attributes if name.startswith("single")]
    attributes["age"] = {"type": "computed", "value": f"now - {random.choice(times)}"}
    sections = config["personalizations"]["drawn"]["sections"]
    for number, form in enumerate(random.sample(TURNING, 4)):
        when = form.replace("{t}", random.choice(times))
        sections[f"turning {number}"] = {"when": when, "payload": {"strings": {"a": "b"}}}


def edges(engine: Reactor, times: list[int]) -> Iterator[int]:
    """Yield every instant at which anything can change, reckoned from the events' times alone."""
    ttls = {0}
    for attribute in engine.config.attributes.values():
        if isinstance(attribute, Single | ListAttribute) and attribute.ttl_ms:
            ttls.add(attribute.ttl_ms)
        windows: list[tuple[int, int]] = []
        if isinstance(attribute, Counter):
            windows = [(window.window_ms, window.pane_ms) for window in attribute.windows]
        elif isinstance(attribute, Total) and attribute.discard_ms is not None:
            windows = [(attribute.discard_ms, attribute.pane_ms)]
        for window_ms, pane_ms in windows:
            yield from (window_ms + pane_ms * (time // pane_ms + 1) for time in times)
    if engine.config.limits.idle_ms:
        ttls.add(engine.config.limits.idle_ms)
    moments = {time for text in MOMENTS if (time := parse_time(text)) is not None}
    moments |= {START_MS + step for step in (-86_400_000, 0, 60_000, 86_400_000)}
    moments |= {*times, 1_699_099_000_000}
    for moment in moments:
        yield from (moment + ttl for ttl in ttls)
        for step in STEPS_MS:
            yield moment + step
            yield moment - step


def brute_force(answer: Callable[[int], bool], present: bool, instants: list[int]) -> int | None:
    """Return the first instant at which the answer differs: just at, before or after one of them."""
    return next((at for at in instants if answer(at) != present), None)


def check_turn(
    turn: Turn, answer: Callable[[int], bool], now_ms: int, instants: list[int], what: Any
) -> None:
    """Compare a turn with brute force."""
    assert turn.state in ("at", "never"), what
    first = brute_force(answer, answer(now_ms), instants)
    if turn.state == "at":
        at = turn.at_ms
        assert at is not None
        assert answer(at) != answer(now_ms), (what, turn.at)
        assert answer(at - 1) == answer(now_ms), (what, turn.at)
        assert first is None or first >= at, (what, turn.at, first)
        assert first is not None or at > MAX_TIME_MS - 10 * 86_400_000, (what, turn.at)
    else:
        assert first is None, (what, first)


def drawn(random: Random, steps: int = 10) -> int:
    """Run a random history; explain some of its events and reads. Return how many turns were compared."""
    config: Any = make_config(random, Choice(idle=True))
    with_turning(random, config)
    engine = Reactor(config)
    times, seen = Times(random), []
    compared = 0
    for step in range(steps):
        if random.random() < 0.3:
            engine.import_batch(make_rows(random, lookup_key=engine.config.lookup_key or ""))
        time = times.draw()
        seen.append(time)
        table, event = make_event(random, time, junk=0.0)
        if step % 5 == 4:
            compared += compare(engine, seen, event=event, table=table)
            keys = {"customer": random.choice(CUSTOMERS), "client": "c1"}
            compared += compare(engine, seen, keys=keys)
        engine.process(event, table)
    return compared


def compare(engine: Reactor, seen: list[int], **asked: Any) -> int:
    """Compare every turn of one explanation."""
    why = engine.explain(**asked, audience="private")
    if why.now_ms is None:
        return 0
    now_ms = why.now_ms
    found: dict[int, set[str]] = {}

    def offered(at: int) -> set[str]:
        if at not in found:
            if "keys" in asked:
                answers = engine.offers(asked["keys"], now=at / 1000, audience="private").offers
            else:
                answers = dry_offers(engine, asked, at)
            found[at] = set(answers)
        return found[at]

    near = {at + step for at in edges(engine, seen) for step in (-1, 0, 1)}
    instants = sorted(at for at in near if now_ms < at <= MAX_TIME_MS)
    for section in why.sections:
        answer = lambda at, name=section.name: name in offered(at)  # noqa: E731
        check_turn(section.turn, answer, now_ms, instants, (section.name, section.when and section.when.text))
    return len(why.sections)


def dry_offers(engine: Reactor, asked: dict[str, Any], at: int) -> Any:
    """Return the offers of an event at a later time, by a dry run of the engine's functions."""
    explainer = engine._explainer
    assert explainer is not None
    from reactor.explain.columns import Columns

    columns = Columns(asked["event"], engine.config.tables.get(asked["table"]), engine.config)
    dry = explainer._scratch.run(engine._state, asked["event"], asked["table"], at, 1, columns.identifiers())
    assert dry.now_ms == at
    return dry.outcome.offers


@FEW
@given(SEEDS)
def test_turns_are_exact(seed: int) -> None:
    """The answer just before a turn is the present one, at it it differs, and no edge sooner changes it.

    Would catch: a pane that leaves one millisecond late, a TTL counted from the wrong side, a crossing
    with `now` missed or doubled, a batch row or a backfill forgotten, "never" for what turns.
    """
    drawn(Random(seed))


@pytest.mark.parametrize("form", ["CAST(now AS varchar) LIKE '2024%'", "length(CAST(now AS varchar)) > n"])
def test_the_written_form_of_now_is_not_told(form: str) -> None:
    """What reads `now` as text can change with every millisecond: no instant is claimed."""
    engine = Reactor(
        {
            "version": 1,
            "name": "text",
            "identity": {"keys": {"c": {}}},
            "key_events": {"see": "t"},
            "attributes": {"n": {"type": "counter", "on": "see", "window": "1h"}},
            "personalizations": {
                "p": {"sections": {"s": {"when": form, "payload": {"strings": {"a": "b"}}}}}
            },
        }
    )
    why = engine.explain({"c": "1", "time": 1_700_000_000})
    assert why.section("s").turn.state == "untold"


def leaving_config(random: Random) -> dict[str, Any]:
    """Draw counters, totals and lists, and sections that stand at each of the values they may come to."""
    windows = random.sample([("5s", "5s"), ("10m", "2m"), ("3h", "1h"), ("26h", "24h"), ("4d", "1d")], 2)
    attributes: dict[str, Any] = {
        f"c{number}": {"type": "counter", "on": "see", "window": window, "sub_windows": {"w": sub}}
        for number, (window, sub) in enumerate(windows)
        if window != sub
    }
    attributes["sum"] = {"type": "counter", "on": "see", "increment": "n", "decimals": 1, "window": "3h"}
    attributes["spend"] = {
        "type": "total",
        "on": "see",
        "increment": "n",
        "discard": random.choice(["1d", "2d"]),
    }
    attributes["l"] = {
        "type": "list",
        "on": "see",
        "item": "n",
        "ttl": random.choice(["5s", "2m", "26h"]),
        "max_items": 4,
        "aggregations": {"n": {"count": "item"}, "sum": {"sum": "item"}, "last": {"last": "item"}},
    }
    numbers = [
        *(f"c{number}" for number in (0, 1) if f"c{number}" in attributes),
        "sum",
        "spend",
        "l.n",
        "l.sum",
    ]
    numbers += [f"{name}.w" for name in numbers if name[0] == "c"]
    sections: dict[str, Any] = {}
    for name in numbers:
        for bound in random.sample(range(-1, 7), 3):
            form = random.choice(
                ("{} >= {}", "{} < {}", "{} = {}", "{} <> {}", "NOT {} > {}", "before.{} > {}")
            )
            sections[f"{name} {bound}"] = {
                "when": form.format(name, bound),
                "payload": {"strings": {"a": "b"}},
            }
    one, other = random.sample(numbers, 2)
    for number, when in enumerate(
        (f"{one} > 1 AND {other} < 4", f"{one} = {other}", "l.last = 2 OR sum <= 1")
    ):
        sections[f"both {number}"] = {"when": when, "payload": {"strings": {"a": "b"}}}
    return {
        "version": 1,
        "name": "leaving",
        "identity": {"keys": {"client": {}}},
        "key_events": {"see": "t"},
        "attributes": attributes,
        "personalizations": {"p": {"sections": sections}},
    }


@FEW
@given(SEEDS)
def test_panes_and_items_leave_to_the_millisecond(seed: int) -> None:
    """As above, for sums that stand at a bound; increments may be negative, so that they rise and fall.

    Would catch: a pane or an item that leaves one millisecond late, a sum taken to fall that rises.
    """
    random = Random(seed)
    engine = Reactor(leaving_config(random))
    times, seen = Times(random), []
    for step in range(9):
        time = times.draw()
        seen.append(time)
        event = {"client": "c1", "n": random.choice((1, 1, 2, -1, -2, 3)), "time": f"{time / 1000:.3f}"}
        if step in (4, 8):
            compare(engine, seen, event=event, table="t")
            compare(engine, seen, keys={"client": "c1"})
        engine.process(event, "t")
