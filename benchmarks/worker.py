"""A process that runs one contender over chunks of retail-v1 and says what each chunk cost.

Started by `pairs.py`, one process a contender, so that each has a heap and a collector of
its own: in one process the long collections of both would fall on whoever calls at the
wrong moment. Commands come in as JSON lines and answers go out the same way.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import Any

import contenders
import msgspec

from reactor.testing.workloads import retail_v1

CHUNK = 2_000


class Worker:
    """One contender, its events as JSON texts, and the commands over them."""

    def __init__(self, name: str, events: int) -> None:
        workload = retail_v1(events)
        self.config, self.batch = workload.config, workload.batch
        # Kept as bytes, which the collector does not see, and decoded anew for each
        # contender: a text's hash is then computed inside the clock, as in a service.
        encode = msgspec.json.Encoder().encode
        self.bodies = [(table, encode(event)) for table, event in workload.events]
        self.contender = contenders.CONTENDERS[name]
        self.run: Callable[[list[tuple[str, Any]]], None] | None = None

    def reset(self) -> dict[str, Any]:
        """Begin again with no profiles."""
        self.run = None
        gc.collect()
        self.run = self.contender.make(self.config, self.batch)
        gc.collect()
        return {"chunks": -(-len(self.bodies) // CHUNK)}

    def chunk(self, number: int) -> dict[str, Any]:
        """Run one chunk; return its CPU time."""
        events = self._events(number)
        run = self.run
        begun = time.process_time_ns()
        run(events)
        return {"cpu_ns": time.process_time_ns() - begun, "events": len(events)}

    def tail(self) -> dict[str, Any]:
        """Run everything call by call; return the wall and CPU time of each call, in ns."""
        call = self.contender.call(self.config, self.batch)
        gc.collect()
        return time_calls(call, self._chunks())

    def digest(self) -> dict[str, Any]:
        """Run everything; return a hash of all offers."""
        call, hashing = self.contender.call(self.config, self.batch), sha256()
        for events in self._chunks():
            for table, event in events:
                answer = call(event, table)
                hashing.update(answer if isinstance(answer, bytes) else msgspec.json.encode(answer.offers))
        return {"digest": hashing.hexdigest()}

    def _chunks(self) -> Iterator[list[tuple[str, Any]]]:
        return map(self._events, range(-(-len(self.bodies) // CHUNK)))

    def _events(self, number: int) -> list[tuple[str, Any]]:
        bodies = self.bodies[number * CHUNK : (number + 1) * CHUNK]
        if self.contender.takes_bytes:
            return bodies
        decode = msgspec.json.Decoder().decode
        return [(table, decode(body)) for table, body in bodies]


def time_calls(call: Callable[[Any, str], Any], chunks: Iterable[list[tuple[str, Any]]]) -> dict[str, Any]:
    """Return {"wall_ns": …, "cpu_ns": …}, an entry a call; a chunk is made outside the clock."""
    wall: list[int] = []
    cpu: list[int] = []
    wall_ns, cpu_ns = time.perf_counter_ns, time.thread_time_ns
    for events in chunks:
        for table, event in events:
            cpu_begun, wall_begun = cpu_ns(), wall_ns()
            call(event, table)
            wall_ended, cpu_ended = wall_ns(), cpu_ns()
            wall.append(wall_ended - wall_begun)
            cpu.append(cpu_ended - cpu_begun)
    return {"wall_ns": wall, "cpu_ns": cpu}


def main() -> None:
    """Serve commands from stdin until it ends."""
    worker = Worker(sys.argv[1], int(sys.argv[2]))
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        answer = getattr(worker, command)(*arguments)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
