"""What a profile takes, attribute by attribute: the table of `docs/guides/production.md`.

    python benchmarks/sizing.py                 # some minutes

Each line is measured twice in a process of its own, by the memory of that process: with all profiles
at rest, and with all in use.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from memory import engine_of, resident

from reactor import Reactor
from reactor.testing.workloads import retail_config

PROFILES = 20_000
START_S = 1_750_000_000
SINGLE = {"type": "single", "on": "see", "value": "v", "dtype": "string"}
COUNTER = {"type": "counter", "on": "see", "window": "7d", "sub_windows": {"hour": "1h"}}
LIST = {"type": "list", "on": "see", "item": "v", "aggregations": {"all": {"distinct": "item"}}}

# line → (identifiers, attributes, events a profile)
LINES: dict[str, tuple[int, dict[str, Any], int]] = {
    "one identifier, no attribute": (1, {}, 1),
    "two identifiers, no attribute": (2, {}, 1),
    "and a single of 12 characters": (2, {"one": SINGLE}, 1),
    "and ten such singles": (2, {f"one{n}": SINGLE for n in range(10)}, 1),
    "two identifiers, a counter with one pane": (2, {"count": COUNTER}, 1),
    "and 50 panes": (2, {"count": COUNTER}, 50),
    "two identifiers, a list of one item": (2, {"many": LIST}, 1),
    "and 10 items": (2, {"many": LIST}, 10),
    "and 100 items": (2, {"many": LIST}, 100),
}
RETAIL = {"`profiles-v1`: ten attributes, 4 events": 4, "the same, 8 events": 8}


def config(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return a config with two keys and these attributes."""
    return {
        "version": 1,
        "name": "sizing",
        "identity": {"keys": {"client": {}, "email": {}}},
        "key_events": {"see": "t"},
        "attributes": attributes,
    }


def events(keys: int, each: int, count: int) -> Iterator[dict[str, Any]]:
    """Yield the events of all profiles, a minute and more apart."""
    for number in range(each):
        for person in range(count):
            event = {
                "client": f"{person:036d}",
                "time": START_S + number * 4_000,
                "v": f"value {person % 97:02d}-{number:03d}",
            }
            if keys == 2:
                event["email"] = f"shopper{person:05d}@example.com"
            yield event


def measured(line: str, in_use: int | None) -> float:
    """Return the bytes a profile of one line, in this process."""
    keys, attributes, each = LINES.get(line, (2, {}, 0))
    count = PROFILES if each <= 10 else PROFILES // 8  # those of many events are large enough
    Reactor(retail_config())
    gc.collect()
    begun = resident()
    if line in RETAIL:
        engine = engine_of(count, RETAIL[line], in_use)
    else:
        engine = Reactor(config(attributes))
        engine.in_use = in_use
        for event in events(keys, each, count):
            engine.ingest(event, "t")
    if in_use is not None:
        engine._state.resting.rest_all()
    gc.collect()
    return (resident() - begun) / count


def main() -> None:
    """Print the table."""
    print("| a profile with | at rest | in use |", "| --- | --- | --- |", sep="\n")
    for line in (*LINES, *RETAIL):
        took = []
        for in_use in ("100", "None"):
            run = [sys.executable, __file__, line, in_use]
            took.append(float(subprocess.run(run, capture_output=True, text=True, check=True).stdout))
        print(f"| {line} | {took[0]:,.0f} | {took[1]:,.0f} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(measured(sys.argv[1], None if sys.argv[2] == "None" else int(sys.argv[2])))
    else:
        main()
