"""How long a gateway takes to start, and how long a snapshot stops its answers, with many profiles.

    python benchmarks/start.py --profiles 1000000 --tail 100000       # 3 GB

Fills an engine, writes its snapshot and a journal of `--tail` entries behind it, and restores both in a
new process. Then snapshots are made in forked children while calls go on.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

from reactor import Reactor
from reactor.gateway.demo import shipped
from reactor.gateway.recovery import recover, save_in_child, snapshot_path
from reactor.gateway.segment import EVENT, Entry, Segment, path_of
from reactor.spec import load_config

BEGIN_S = 1_790_000_000
TABLE = "web.pageviews"


def event(number: int) -> dict[str, Any]:
    """Return a view of a product by client `number`."""
    return {
        "td_client_id": f"client-{number:08d}",
        "td_path": "/retail/women/product/tank-top",
        "product_name": "tank-top",
        "product_category": "women",
        "time": BEGIN_S + number % 100_000,
    }


def fill(folder: Path, profiles: int, tail: int) -> None:
    """Write a snapshot of so many profiles, and a journal behind it."""
    engine = Reactor(load_config(folder / "reactor.yaml"))
    gc.disable()
    for number in range(profiles):
        engine.ingest(event(number), TABLE, now=BEGIN_S + number % 100_000)
    engine.snapshot(snapshot_path(folder, profiles))
    segment = Segment(path_of(folder, profiles + 1))
    for start in range(0, tail, 1_000):
        segment.append(
            Entry(
                profiles + 1 + number, EVENT, TABLE, f"u{number}", (BEGIN_S + 100_000 + number) * 1_000,
                json.dumps(event(number * 7 % profiles)).encode(),
            )
            for number in range(start, min(start + 1_000, tail))
        )  # fmt: skip
    segment.close()


def start(folder: Path, profiles: int) -> None:
    """Restore, and print how long it took; then save while calls go on."""
    config = load_config(folder / "reactor.yaml")
    begun, cpu = time.perf_counter(), time.process_time()
    recovered = recover(config, folder, 15 * 60_000, lambda text: None)
    wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
    memory = getrusage(RUSAGE_SELF).ru_maxrss // 1024
    print(f"start: {wall:.1f} s, {cpu:.1f} s of CPU, {recovered.replayed:,} entries replayed, {memory:,} MB")
    gc.collect()
    gc.freeze()
    for _ in range(3):
        save(recovered.engine, folder, profiles)


def save(engine: Reactor, folder: Path, profiles: int) -> None:
    """Print how long the fork stopped the caller, and the slowest calls while the child writes."""
    begun = time.perf_counter()
    child = save_in_child(engine, folder / "again.state")
    assert child is not None
    pause = time.perf_counter() - begun
    calls: list[float] = []
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        before = time.perf_counter()
        engine.process(event(len(calls) * 13 % profiles), TABLE, now=BEGIN_S + 300_000)
        calls.append(time.perf_counter() - before)
    calls.sort()
    whole = time.perf_counter() - begun
    median, p99 = calls[len(calls) // 2], calls[int(len(calls) * 0.99)]
    print(
        f"snapshot: the fork {pause * 1e3:.1f} ms, the child {whole:.1f} s; calls meanwhile: median"
        f" {median * 1e6:.0f} us, p99 {p99 * 1e6:.0f} us, longest {calls[-1] * 1e3:.1f} ms",
        flush=True,
    )


def main() -> None:
    """Fill in one process, start in another: what one leaves in memory is not the other's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profiles", type=int, default=1_000_000)
    parser.add_argument("--tail", type=int, default=100_000)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--step", choices=("fill", "start"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step is not None:
        folder = Path(given.folder)
        fill(folder, given.profiles, given.tail) if given.step == "fill" else start(folder, given.profiles)
        return
    print(f"load average: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "reactor.yaml").write_bytes(shipped("reactor.yaml"))
        numbers = ["--profiles", str(given.profiles), "--tail", str(given.tail)]
        for step in ("fill", "start"):
            command = [sys.executable, __file__, "--folder", name, "--step", step, *numbers]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
