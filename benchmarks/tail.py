"""`live-tail` with many profiles in memory: by hand, for it takes minutes and gigabytes.

    python benchmarks/tail.py --profiles 1000000                    # the documented policy
    python benchmarks/tail.py --profiles 1000000 --policy default   # CPython's own

Fills an engine with profiles-v1, applies the policy for the collector, and times 200,000 calls
of retail-v1 one at a time.
"""

from __future__ import annotations

import argparse
import gc
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import msgspec
import pairs
import worker

from reactor import Reactor
from reactor.testing.workloads import profiles_v1, retail_v1


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the cost of filling, and the quantiles of one call under the policy."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--profiles", type=int, default=1_000_000)
    parser.add_argument("--policy", choices=["freeze", "default"], default="freeze")
    options = parser.parse_args(arguments)
    workload = retail_v1()
    bodies = [(table, msgspec.json.encode(event)) for table, event in workload.events]
    engine = Reactor(workload.config)
    engine.import_batch(workload.batch)
    _fill(engine, options.profiles)
    if options.policy == "freeze":
        gc.collect()
        gc.freeze()
    before = [generation["collections"] for generation in gc.get_stats()]
    times = worker.time_calls(lambda event, table: engine.process(event, table=table), _chunks(bodies))
    after = [generation["collections"] for generation in gc.get_stats()]
    for clock, found in times.items():
        shown = ", ".join(f"{part} {time:,.1f} us" for part, time in pairs.quantiles(found).items())
        print(f"{clock[:-3]}: {shown}")
    print(f"collections by generation: {[end - begin for begin, end in zip(before, after, strict=True)]}")


def _fill(engine: Reactor, profiles: int) -> None:
    # The filling is a service's start: collections would only find what is still in use.
    gc.disable()
    begun, events = time.process_time(), 0
    stream = profiles_v1(profiles)
    while chunk := list(islice(stream, 10_000)):
        for table, event in chunk:
            engine.process(event, table=table)
        events += len(chunk)
    gc.enable()
    seconds = time.process_time() - begun
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000
    print(f"{profiles:,} profiles from {events:,} events in {seconds:.0f} s; {megabytes:,.0f} MB at most")


def _chunks(bodies: list[tuple[str, bytes]]) -> Iterator[list[tuple[str, Any]]]:
    decode = msgspec.json.Decoder().decode
    for begin in range(0, len(bodies), worker.CHUNK):
        yield [(table, decode(body)) for table, body in bodies[begin : begin + worker.CHUNK]]


if __name__ == "__main__":
    main()
