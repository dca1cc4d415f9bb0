"""Malformed events at the engine's door: what may come out is an outcome, or a `ReactorError`.

    python tests/fuzz/events.py --count 1000000 --seed 1

An event is drawn, spoilt in its columns or in its bytes, and handed to one of the calls. A
refusal must leave the state as it was, carry none of the event's values, and have no other
exception behind it. Every value of an event holds MARK, which no message may.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from random import Random
from typing import Any

import msgspec

from reactor import Reactor, ReactorError

MARK = "ZQXJ"

CONFIG = {
    "version": 1,
    "name": "fuzz",
    "limits": {"associations": 5, "event": "4KB", "value_bytes": 64, "identifier_bytes": 16},
    "tables": {
        "t": {
            "timezone": "Europe/London",
            "columns": {"made": "lower(a) || b", "late": "CAST(c AS timestamp)"},
        }
    },
    "identity": {
        "lookup_key": "id",
        "keys": {"id": {}, "mail": {"valid": "@"}, "made": {}, "batch": {"internal": True}},
    },
    "key_events": {
        "any": "t",
        "some": {"table": "t", "where": "a.b > 3 OR regexp_like(c, '[0-9]+') OR d LIKE '%x_'"},
    },
    "attributes": {
        "single": {"type": "single", "on": "any", "value": "a", "dtype": "number", "ttl": "1d"},
        "texts": {"type": "single", "on": "some", "value": "b", "dtype": "strings", "sensitive": True},
        "moment": {"type": "single", "on": "any", "value": "late", "dtype": "timestamp"},
        "items": {
            "type": "list",
            "on": "any",
            "item": "c",
            "fields": ["a", "d"],
            "max_items": 3,
            "delete_on": "some",
            "aggregations": {"all": {"distinct": "item"}, "top": {"max": "a"}, "fields": {"distinct": "d"}},
        },
        "sum": {"type": "counter", "on": "any", "increment": "a", "window": "1h", "sub_windows": {"m": "5m"}},
        "total": {"type": "total", "on": "some", "increment": "c * 2", "discard": "2d"},
        "tier": {"type": "imported", "dtype": "string", "sensitive": True},
        "ratio": {"type": "computed", "value": "round(sum / nullif(total, 0), 2)"},
    },
    "personalizations": {
        "p": {
            "sections": {
                "one": {
                    "on": "any",
                    "when": "sum > before.sum",
                    "payload": {"attributes": {"r": "ratio", "c": "event.c"}},
                },
                "two": {
                    "when": "contains(items.all, 'x') OR tier = 'x'",
                    "payload": {"attributes": {"t": "texts"}},
                },
            }
        }
    },
}


def junk(random: Random, depth: int = 0) -> Any:
    """Draw a value of any kind, fit for JSON or not."""
    kind = random.randrange(14 if depth < 3 else 10)
    if kind < 3:
        return MARK + "".join(
            random.choice("ax@é\ud800\x00🙂 9") for _ in range(random.choice((0, 1, 5, 70)))
        )
    if kind == 3:
        return random.choice((0, 1, -1, 2**63, -(2**63) - 1, 10**400, random.randrange(10**13)))
    if kind == 4:
        return random.choice((0.1, -0.0, 1e308, float("nan"), float("inf"), 2.0**70, random.random()))
    if kind < 7:
        return random.choice(
            (None, True, False, "", "true", "12", "1e999", "2020-01-01", "2020-13-01T99:00:00Z")
        )
    if kind == 7:
        return random.choice((b"bytes", {1, 2}, object(), 1j))
    if kind < 10:
        return f"{MARK}{random.randrange(4)}"
    if kind < 12:
        return [junk(random, depth + 1) for _ in range(random.choice((0, 1, 3, 1100 if depth == 0 else 2)))]
    return {random.choice("ab"): junk(random, depth + 1) for _ in range(random.randrange(3))}


def draw(random: Random) -> dict[Any, Any]:
    """Draw an event: mostly the columns of the config, with values of any kind."""
    event: dict[Any, Any] = {
        "time": random.choice((random.randrange(10**6), random.randrange(10**6), junk(random)))
    }
    for name in ("id", "mail", "ID", "made", "batch", "a", "b", "c", "d"):
        if random.random() < 0.6:
            event[name] = f"{MARK}{random.randrange(6)}" if random.random() < 0.3 else junk(random)
    if random.random() < 0.01:
        event[random.choice((7, None, "x" * 300))] = junk(random)
    return event


def spoil(random: Random, event: object) -> bytes | str:
    """Write the event as JSON as far as it goes, and break the text now and then."""
    try:
        body = json.dumps(event, default=str).encode("utf-8", "surrogatepass")
    except (TypeError, ValueError):
        body = b"{}"
    for _ in range(random.choice((0, 0, 1, 3))):
        place = random.randrange(len(body) + 1)
        body = random.choice(
            (body[:place], body[:place] + random.randbytes(2) + body[place:], body + body[place:])
        )
    return body.decode("utf-8", "replace") if random.random() < 0.3 else body


def state_of(engine: Reactor) -> bytes:
    """Return everything a refusal must leave alone."""
    state = engine._state
    profiles = sorted(map(state.resting.pack, state.identity.profiles()))
    stats = {name: value for name, value in engine.stats().items() if name != "refused"}
    return msgspec.msgpack.encode([profiles, stats], enc_hook=str)


def run(count: int, seed: int, compared: float = 1.0) -> Counter[str]:
    """Try `count` events; return how many came to what. Raises AssertionError for what must not be.

    compared: the share of events before and after which the whole state is compared.
    """
    random = Random(seed)
    engine = Reactor(CONFIG)
    engine.import_batch([{"id": f"{MARK}1", "tier": "x", "batch": "b1"}])
    outcomes: Counter[str] = Counter()
    for number in range(count):
        event = draw(random)
        call = random.choice(("process", "process_json", "ingest", "evaluate", "process"))
        arguments: dict[str, Any] = {"table": random.choice(("t", "t", "t", "u"))}
        if random.random() < 0.3:
            arguments["now"] = random.choice((random.randrange(10**6), junk(random)))
        given: Any = spoil(random, event) if call == "process_json" or random.random() < 0.3 else event
        before = state_of(engine) if random.random() < compared else None
        try:
            getattr(engine, call)(given, **arguments)
        except ReactorError as error:
            assert MARK not in repr(error) + str(error), f"event {number}: a value in the message"
            assert error.__context__ is None, f"event {number}: an exception chain"
            assert error.__cause__ is None
            assert before is None or before == state_of(engine), (
                f"event {number}: a refusal changed the state"
            )
            outcomes["refused"] += 1
        else:
            outcomes[call] += 1
        if number % 1_000 == 999:
            engine.check()
            engine = Reactor(CONFIG)
    return outcomes


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--compared", type=float, default=0.02)
    options = parser.parse_args()
    print(dict(run(options.count, options.seed, options.compared)))
