"""Floods of every kind, round after round: no profile passes its bound, and memory stays a flat line.

    python tests/soak/soak.py --rounds 30 --events 5000

Time is that of the events. Each round sends every kind of flood; after it every profile is held
against the bytes that the config implies, the account against the ceiling, and the memory of the
process against what it was after the third round.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from reactor import EventError, Reactor
from reactor.plan import profile_bytes

START_S = 1_700_000_000
CENTURY_S = 100 * 365 * 86_400
CEILING = 16_000_000
MEGABYTE = "x" * 1_000_000
WARM = 3  # rounds until every table, memo and pool has its size
CONFIG: dict[str, Any] = {
    "version": 1,
    "name": "soak",
    "limits": {"memory": "16MB", "associations": 50, "idle": "90d"},
    "identity": {"keys": {"c": {}, "d": {}}, "lookup_key": "d"},
    "key_events": {
        "see": "t",
        "drop": {"table": "t", "where": "kind = 'drop'"},
        "odd": {"table": "t", "where": "regexp_like(v, '[0-9]+x?$')"},
    },
    "attributes": {
        "last": {"type": "single", "on": "see", "value": "v", "dtype": "string"},
        "odds": {"type": "counter", "on": "odd", "window": "1h"},
        "many": {
            "type": "list",
            "on": "see",
            "item": "v",
            "fields": ["w"],
            "delete_on": "drop",
            "aggregations": {"all": {"distinct": "item"}, "most": {"max": "w"}},
        },
        "some": {
            "type": "list",
            "on": "see",
            "item": "w",
            "unique": True,
            "max_items": 20,
            "aggregations": {"count": {"count": "item"}},
        },
        "visits": {"type": "counter", "on": "see", "window": "30d", "sub_windows": {"hour": "1h", "m": "5m"}},
        "spend": {"type": "total", "on": "see", "increment": "w", "decimals": 9},
    },
    "personalizations": {
        "p": {
            "sections": {
                "Many": {
                    "on": "see",
                    "when": "cardinality(many.all) > 3 AND visits.hour > 2",
                    "payload": {"attributes": {"last": "last"}},
                }
            }
        }
    },
}

Flood = Iterator[tuple[str, dict[str, Any]]]
Kind = Callable[[Random, int, int], Flood]


def shared_by_everyone(random: Random, number: int, at: int) -> Flood:
    """One identifier that all people have."""
    yield "t", {"c": f"c{random.getrandbits(40)}", "d": "shared", "time": at, "v": f"v{number}"}


def many_identifiers(random: Random, number: int, at: int) -> Flood:
    """One profile that gets an identifier with each event."""
    yield "t", {"c": "many", "d": f"d{random.getrandbits(40)}", "time": at}


def many_events(random: Random, number: int, at: int) -> Flood:
    """One profile with all events."""
    yield "t", {"c": "one", "time": at + number, "v": f"v{number}", "w": random.random() * 10**9}


def at_one_instant(random: Random, number: int, at: int) -> Flood:
    """All events at the same time."""
    yield "t", {"c": f"instant {number % 100}", "time": START_S, "v": f"v{number}", "w": number}


def across_a_century(random: Random, number: int, at: int) -> Flood:
    """Times in no order, a hundred years apart, also for one and the same profile."""
    yield "t", {"c": f"century {number % 50}", "time": random.randrange(CENTURY_S), "v": "v", "w": 1}


def long_texts(random: Random, number: int, at: int) -> Flood:
    """A megabyte in every column, and the longest texts that are taken."""
    long = f"{number}{MEGABYTE}"
    yield "t", {"c": long, "d": long, "v": long, "w": long, "kind": long, "time": at}
    yield "t", {"c": f"long {number % 200}", "v": long[:2_048], "w": long[-2_048:], "time": at}
    yield "t", {"c": f"{number}{'y' * 500}"[:512], "d": f"{number}{'z' * 500}"[:512], "time": at}


def huge_arrays(random: Random, number: int, at: int) -> Flood:
    """Arrays of more elements than a value may have, and of as many, some of them long."""
    array = [f"{random.getrandbits(30)}{'a' * 500}" for _ in range(50)] * 20
    yield "t", {"c": f"array {number % 20}", "v": array, "w": array, "time": at}
    yield "t", {"c": f"array {number % 20}", "v": array * 2, "w": [[array]], "time": at, "kind": "drop"}


def new_people(random: Random, number: int, at: int) -> Flood:
    """A profile an event."""
    yield "t", {"c": f"n{random.getrandbits(60)}", "time": at, "v": f"v{number}"}


def new_names(random: Random, number: int, at: int) -> Flood:
    """Columns and tables that nobody knows, with long names."""
    name = f"{random.getrandbits(60)}{'n' * random.choice((1, 200, 5_000))}"
    yield name, {"c": "names", name: 1, f"C{name}": 2, "time": at}


KINDS: tuple[Kind, ...] = (
    shared_by_everyone,
    many_identifiers,
    many_events,
    at_one_instant,
    across_a_century,
    long_texts,
    huge_arrays,
    new_people,
    new_names,
)
HEAVY = (long_texts, huge_arrays)  # a tenth as many of these


def soak(rounds: int, events: int, seed: int = 1) -> list[int]:
    """Run the rounds; return the bytes that the process has grown by after each. Asserts every bound."""
    random = Random(seed)
    engine = Reactor(CONFIG)
    bound = sum(profile_bytes(engine.config).values())
    gc.collect()
    begun = resident()
    grown = []
    for number in range(rounds):
        at = START_S + number * 86_400
        for kind in KINDS:
            for each in range(events // 10 if kind in HEAVY else events):
                for table, event in kind(random, each, at):
                    send(engine, event, table)
        engine.process({"c": "end", "time": at})
        assert max(engine.packed_sizes().values()) <= bound
        account = engine._state.account
        assert account is not None
        assert account.total() <= account.ceiling + 64 * 300_000
        gc.collect()
        grown.append(resident() - begun)
    engine.check()
    assert engine.stats()["evicted_identifiers"] > 0
    return grown


def send(engine: Reactor, event: dict[str, Any], table: str) -> None:
    """Send an event; it may be refused."""
    with suppress(EventError):
        engine.process(event, table)


def resident() -> int:
    """Return the bytes of this process that are in memory; 0 where nobody says."""
    path = Path("/proc/self/status")
    if not path.exists():
        return 0
    with path.open(encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1_024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--events", type=int, default=5_000)
    asked = parser.parse_args()
    begun_s = time.process_time()
    line = soak(asked.rounds, asked.events)
    print("MB after each round:", *(f"{each / 1e6:.0f}" for each in line))
    warm = line[min(WARM, len(line)) - 1]
    print(
        f"{asked.rounds} rounds of {asked.events} events a kind; CPU {time.process_time() - begun_s:.0f} s; "
        f"{warm / 1e6:.1f} MB when warm, {line[-1] / 1e6:.1f} MB at the end, ceiling {CEILING / 1e6:.0f} MB"
    )
    assert max(line[WARM:], default=0) < max(warm * 1.2, CEILING * 1.5)
