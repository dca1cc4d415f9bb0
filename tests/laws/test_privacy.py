"""L7: sensitive values can't be told from public answers, and no event value leaves by another door."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from states import HALF

from reactor import Reactor, ReactorError
from reactor.testing.histories import Times

SEEDS = st.integers(0, 2**32)
CANARY = "canary-7f3a"

ATTRIBUTES: dict[str, Any] = {
    "tier": {"type": "imported", "dtype": "string", "sensitive": True},
    "since": {"type": "imported", "dtype": "timestamp"},
    "secret": {"type": "single", "on": "see", "value": "s", "dtype": "string", "sensitive": True},
    "backed": {
        "type": "single",
        "on": "see",
        "value": "s",
        "dtype": "string",
        "sensitive": True,
        "ttl": "1h",
        "backfill": {"value": "tier", "time": "since"},
    },
    "open": {"type": "single", "on": "see", "value": "v", "dtype": "string"},
    "l": {
        "type": "list",
        "on": "see",
        "item": "v",
        "fields": ["s"],
        "max_items": 3,
        "aggregations": {
            "all": {"distinct": "item"},
            "n": {"count": "s"},
            "last": {"last": "s", "sensitive": True},
            "secrets": {"distinct": "s", "sensitive": True},
        },
    },
    "n": {"type": "counter", "on": "see", "window": "1h"},
    "made": {"type": "computed", "value": "coalesce(secret, tier, 'none')"},
    "remade": {"type": "computed", "value": "upper(made) || '!'"},
}
SENSITIVE = ("tier", "secret", "backed", "l.last", "l.secrets", "made", "remade")
PAYLOADS = (
    *SENSITIVE,
    *(f"before.{name}" for name in SENSITIVE),
    "coalesce(tier, open)",
    "CASE WHEN n > 1 THEN secret ELSE open END",
    "cardinality(l.secrets)",
    "secret = 'x'",
    "open",
    "n",
    "l.all",
    "l.n",
    "secret.time",
    "before.open",
)
# Each comes out the same whatever the secrets are, as long as they are there.
CRITERIA = (
    "secret IS NOT NULL",
    "before.made <> ''",
    "tier IS NULL",
    "n > 1",
    "l.n >= 2",
    "contains(l.all, 'a')",
)


def make_private(random: Random) -> dict[str, Any]:
    """Draw a config whose sections read sensitive and other parts in every way."""
    sections: dict[str, Any] = {}
    for number in range(8):
        attributes = {f"o{place}": random.choice(PAYLOADS) for place in range(random.randint(1, 3))}
        payload = {"attributes": attributes, "strings": {"text": f"{number}"}, "segments": ["s1"]}
        sections[f"section {number}"] = {"when": random.choice(CRITERIA), "payload": payload}
    return {
        "version": 1,
        "name": "private",
        "identity": {"lookup_key": "u", "keys": {"u": {}, "c": {}}},
        "key_events": {"see": "t"},
        "attributes": ATTRIBUTES,
        "segments": {"s1": "one"},
        "personalizations": {"p": {"sections": sections}},
    }


def histories(random: Random) -> tuple[list[Any], list[Any]]:
    """Return two lists of events and rows that differ in their secrets only."""
    first, second = [], []
    times = Times(random)
    for _ in range(12):
        event: dict[str, Any] = {
            "u": random.choice("12"),
            "c": random.choice("123"),
            "v": random.choice("abc"),
        }
        event["time"] = f"{times.draw() // 1000}"
        if random.random() < 0.2:
            row = {"u": event["u"], "since": random.choice(("2023-11-04", "2023-11-05")), "segments": "s1"}
            first.append([{**row, "tier": "gold"}])
            second.append([{**row, "tier": "a much longer \U0001f511 tier"}])
        is_told = random.random() < 0.7
        first.append({**event, "s": "x"} if is_told else event)
        second.append({**event, "s": f"{random.random()} 'quoted' \\ text"} if is_told else event)
    return first, second


def answers_of(engine: Reactor, steps: list[Any], audience: Any) -> Iterator[bytes]:
    """Yield the response bodies of a history, and of reads after each event."""
    for step in steps:
        if isinstance(step, list):
            engine.import_batch(step)
            continue
        yield engine.evaluate(step, audience=audience).json()
        yield engine.process_json(as_body(step), audience=audience)
        yield engine.offers({"u": step["u"]}, audience=audience).json()


def as_body(event: dict[str, Any]) -> bytes:
    """Write an event as JSON."""

    return json.dumps(event).encode()


@HALF
@given(SEEDS)
def test_l7_public_answers_do_not_depend_on_secrets(seed: int) -> None:
    """Two histories that differ in sensitive values only are answered to the public byte for byte alike.

    Would catch: a payload redacted by what it returns instead of by what it names, a computed
    attribute or an aggregation that loses its flag, a sensitive `before.X`.
    """
    random = Random(seed)
    config = make_private(random)
    first, second = histories(random)
    public = [list(answers_of(Reactor(config), steps, "public")) for steps in (first, second)]
    assert public[0] == public[1]


def test_l7_the_histories_do_differ() -> None:
    """The private answers to the same two histories differ: the law above is not empty."""
    different = 0
    for seed in range(20):
        random = Random(seed)
        config = make_private(random)
        first, second = histories(random)
        private = [list(answers_of(Reactor(config), steps, "private")) for steps in (first, second)]
        different += private[0] != private[1]
    assert different > 15


# As a whole each comes out the same whatever the secrets are; inside it a leaf does not.
HIDING = (
    "secret = 'x' OR n >= 1",
    "secret <> 'x' AND n < 0",
    "NOT (made = 'x' AND n < 0)",
    "event.s LIKE 'x%' OR l.n >= 0",
    "contains(l.secrets, 'x') OR (n > 0 AND open IS NOT NULL) OR n >= 1",
    "coalesce(before.secret, 'x') = 'x' OR n >= 1",
    "(tier = 'gold') IS TRUE AND n < 0",
    "contains(u, '1') AND n < 0",
    "length(remade) > 3 OR n >= 1",
    "secret IS NULL AND n > 100",
    "open = 'b' AND n > 2",
    "since < now - INTERVAL '1' HOUR",
)


def explained(engine: Reactor, steps: list[Any]) -> Iterator[bytes]:
    """Yield public explanations of a history, as JSON, as text and as they print themselves."""
    for step in steps:
        if isinstance(step, list):
            engine.import_batch(step)
            continue
        for why in engine.explain(step), engine.explain(keys={"u": step["u"]}):
            yield why.json()
            yield why.text().encode()
            yield f"{why!r} {why.sections!r} {why.changes!r} {why.identity!r}".encode()
        engine.process(step)


def renamed(steps: list[Any]) -> list[Any]:
    """Return a history with other identifiers, in the same order."""

    def other(row: dict[str, Any]) -> dict[str, Any]:
        return {name: f"id-{value}" if name in ("u", "c") else value for name, value in row.items()}

    return [[other(row) for row in step] if isinstance(step, list) else other(step) for step in steps]


@settings(max_examples=max(settings.default.max_examples // 6, 10))
@given(SEEDS)
def test_l7_public_explanations_do_not_depend_on_secrets(seed: int) -> None:
    """Two histories that differ in sensitive values and identifiers only are explained alike, byte for byte.

    Would catch: the truth, an operand or a distance of a sensitive leaf; ways or an instant that tell
    which leaf fails; a change that is listed only where there is one; a rid or an identifier.
    """
    random = Random(seed)
    config = make_private(random)
    for section in config["personalizations"]["p"]["sections"].values():
        section["when"] = random.choice(CRITERIA + HIDING)
        if random.random() < 0.3:
            section["where"] = random.choice(("v = 'a'", "s IS NULL", "coalesce(s, 'x') <> 'y' OR v = 'a'"))
    first, second = histories(random)
    public = [list(explained(Reactor(config), steps)) for steps in (first, renamed(second))]
    assert public[0] == public[1]


REFUSED: tuple[tuple[str, tuple[Any, ...], dict[str, Any]], ...] = (
    ("process", ({"c": CANARY, "v": CANARY},), {}),
    ("process", ({"c": CANARY, "time": CANARY},), {}),
    ("process", ({"c": "1", "time": [CANARY]},), {}),
    ("process", ({"c": "1", "time": {CANARY: CANARY}},), {}),
    ("process", ({"c": "1", "time": 1, 7: CANARY},), {}),
    ("process", ({"c": "1", "time": 1},), {"now": CANARY}),
    ("process", ({"c": "1", "time": 1},), {"audience": CANARY}),
    ("process", (CANARY,), {}),
    ("process", (f'"{CANARY}"',), {}),
    ("process", ([CANARY],), {}),
    ("process", (f'{{"c": "{CANARY}", "time": 1'.encode(),), {}),
    ("process", (f'{{"c": "{CANARY}\\ud800", "time": NaN}}',), {}),
    ("process_json", (b'{"time": "' + CANARY.encode() + b'"}',), {}),
    ("ingest", ({"c": CANARY},), {}),
    ("evaluate", ({"c": CANARY, "time": CANARY},), {}),
    ("explain", ({"c": CANARY, "time": CANARY},), {}),
    ("explain", ({"c": CANARY, "time": 1},), {"keys": {"c": CANARY}}),
    ("explain", (f'{{"c": "{CANARY}"',), {}),
    ("explain", (), {"keys": {"c": [CANARY]}}),
    ("explain", (), {"keys": {CANARY: "1"}}),
    ("explain", (), {"rid": [CANARY]}),
    ("offers", ({"c": CANARY},), {"now": CANARY}),
    ("offers", ({"c": [CANARY]},), {}),
    ("profile", ({"c": {CANARY: 1}},), {}),
    ("profile", (), {"rid": [CANARY]}),
    ("profile", (CANARY,), {}),
    ("import_batch", (CANARY,), {}),
    ("import_batch", ([CANARY],), {}),
    ("import_batch", ({"u": CANARY},), {}),
)


@pytest.mark.parametrize("call", REFUSED, ids=lambda call: f"{call[0]}{len(str(call))}")
def test_l7_no_error_carries_a_value(call: tuple[str, Any, Any], caplog: pytest.LogCaptureFixture) -> None:
    """A refusal, its chain, its traceback and the logs hold no value of what was refused."""
    caplog.set_level(logging.DEBUG)
    engine = Reactor(make_private(Random(1)))
    engine.process({"c": CANARY, "u": CANARY, "v": CANARY, "s": CANARY, "time": 1})
    method, arguments, options = call
    with pytest.raises(ReactorError) as caught:
        getattr(engine, method)(*arguments, **options)
    error: BaseException | None = caught.value
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert error.__context__ is None
    assert error.__cause__ is None
    assert CANARY not in f"{error} {error!r} {error.args} {vars(error)}"
    assert CANARY not in caplog.text


def test_l7_no_repr_carries_a_value() -> None:
    """What the engine hands out shows counts when it is printed, never values."""
    engine = Reactor(make_private(Random(1)))
    report = engine.import_batch([{"u": CANARY, "tier": CANARY, "segments": CANARY, "since": CANARY}])
    event = {
        "c": CANARY,
        "u": CANARY,
        "v": CANARY,
        "s": CANARY,
        "time": 1,
        "U": CANARY,
        "td_rt_tracking_id": CANARY,
    }
    outcome = engine.process(event, audience="private")
    assert outcome.id_changes
    assert outcome.validation_failures
    view = engine.profile({"c": CANARY})
    assert view is not None
    why = engine.explain({**event, "time": 2}, audience="private")
    assert CANARY.encode() in why.json()
    for section in why.sections:
        assert (
            CANARY not in f"{section!r} {section.when!r} {section.where!r} {section.ways!r} {section.turn!r}"
        )
    assert CANARY not in f"{why!r} {why.identity!r} {why.changes!r} {why.key_events!r} {why}"
    shown = (
        f"{engine!r} {outcome!r} {outcome.notes!r} {view!r} {report!r} {engine.stats()!r} {engine.config!r}"
    )
    assert CANARY not in shown
