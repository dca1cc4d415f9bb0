"""`memory`: what a profile of `profiles-v1` takes of a process, at rest and in use, and its peers.

    python benchmarks/memory.py                          # a million profiles of 4 events; 4 GB
    python benchmarks/memory.py --profiles 10000000 --only copies    # 8 GB

Each contender runs in a process of its own, which is asked for its resident memory before and after;
that of Redis is the server's own figure. Redis holds what the rows hold: a hash for each profile, its
attributes as JSON text, and for each identifier a set with the profile's id. It is skipped, loudly,
where `redis-server` is missing.
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from reactor import Reactor
from reactor.identity import KEYS
from reactor.testing.workloads import profiles_v1, retail_config

BARS = {"rest": 650, "use": 2_000, "copies": 650}
PORT = 6399
ORIGINALS = 100_000
DAY_S = 86_400


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    with Path("/proc/self/status").open(encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1_024


def events_of(count: int, each: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield four events a profile, or eight: the same four again, four days later."""
    for again in range(each // 4):
        for table, event in profiles_v1(count):
            yield table, {**event, "time": event["time"] + again * 4 * DAY_S}  # type: ignore[operator]


def engine_of(count: int, each: int, in_use: int | None) -> Reactor:
    """Return an engine that took all events."""
    engine = Reactor(retail_config())
    engine.in_use = in_use
    for table, event in events_of(count, each):
        engine.ingest(event, table)
    assert engine.stats()["profiles"] == count
    return engine


def rest(count: int, each: int) -> Any:
    """All at rest but the thousand that were used last."""
    return engine_of(count, each, 1_000)


def use(count: int, each: int) -> Any:
    """All in use."""
    return engine_of(count, each, None)


def dicts(count: int, each: int) -> Any:
    """What one would write by hand: a dict for each profile, found by its identifiers."""
    names = ("td_client_id", "email", "customer_id")
    held = engine_of(count, each, None)
    layout, state = held._state.layout, held._state
    profiles: dict[str, dict[str, Any]] = {}
    index: dict[str, dict[str, str]] = {name: {} for name in names}
    begun = resident()
    for profile in state.identity.profiles():
        rid = f"{profile[0]:032x}"
        made = json.loads(json.dumps({"created": profile[1], "newest": profile[2], **layout.state(profile)}))
        profiles[rid] = made
        for place, name in enumerate(names):
            for value in profile[KEYS + place] or ():
                text = "".join(value)
                made.setdefault(name, {})[text] = profile[KEYS + place][value]
                index[name][text] = rid
    print(f"dict of dicts: {(resident() - begun) / count:.0f} bytes a profile of {each} events", flush=True)
    return held


def redis(count: int, each: int) -> Any:
    """The same attributes in Redis, on loopback, with nothing saved to disk."""
    if shutil.which("redis-server") is None:
        print("SKIPPED: redis-server is not installed (apt-get install redis-server)", flush=True)
        return None
    held = engine_of(count, each, 1_000)
    layout, state = held._state.layout, held._state
    with tempfile.TemporaryDirectory() as folder:
        server = ["redis-server", "--port", str(PORT), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        process = subprocess.Popen(server, stdout=subprocess.DEVNULL)
        try:
            time.sleep(1)
            begun = used()
            feed = subprocess.Popen(
                ["redis-cli", "-p", str(PORT), "--pipe"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
            )
            assert feed.stdin is not None
            for profile in state.identity.profiles():
                row = state.resting.row(profile)
                rid = f"{row[0]:032x}"
                fields = {"created": row[1], "newest": row[2], **layout.state(row)}
                flat = [part for name, value in fields.items() for part in (name, json.dumps(value))]
                feed.stdin.write(command("HSET", rid, *flat))
                for place in range(3):
                    for value in row[KEYS + place] or ():
                        feed.stdin.write(command("SADD", f"{place}:{value}", rid))
            feed.stdin.close()
            assert feed.wait() == 0
            print(f"redis: {(used() - begun) / count:.0f} bytes a profile of {each} events", flush=True)
        finally:
            process.terminate()
            process.wait()
    return None


def used() -> int:
    """Return the bytes that Redis says it uses."""
    text = subprocess.run(
        ["redis-cli", "-p", str(PORT), "info", "memory"], capture_output=True, text=True, check=True
    ).stdout
    return next(int(line.split(":")[1]) for line in text.splitlines() if line.startswith("used_memory:"))


def command(*parts: str) -> bytes:
    """Return a command as Redis reads it from a pipe."""
    encoded = [part.encode() for part in parts]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in encoded)


def loaded(count: int, each: int) -> Any:
    """All at rest, as a snapshot brings them; the file is written by a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        writing = [
            sys.executable,
            __file__,
            "--write",
            str(path),
            "--profiles",
            str(count),
            "--events",
            str(each),
        ]
        subprocess.run(writing, check=True)
        gc.collect()
        begun, cpu = resident(), time.process_time()
        engine = Reactor(retail_config(), state=path)
        spent = time.process_time() - cpu
        print(
            f"loaded: {(resident() - begun) / count:.0f} bytes a profile of {each} events, "
            f"{spent / count * 1e6:.1f} us of CPU each, {path.stat().st_size / count:.0f} in the file",
            flush=True,
        )
        return engine


def copies(count: int, each: int) -> Any:
    """As `rest`, with 100,000 of the profiles made by events, and each copied until there are enough.

    A copy has identifiers, a rid and packed bytes of its own: it takes what its original takes.
    """
    engine = engine_of(ORIGINALS, each, 0)
    state = engine._state
    state.resting.rest_all()
    originals = list(state.identity.profiles())

    def copied() -> Iterator[tuple[list[Any], list[Any]]]:
        for number in range(1, count // ORIGINALS):
            for rid, client, packed, *others in originals:
                texts = [f"{number:03d}{text[3:]}" for text in (client, *others)]
                own = bytes(bytearray(packed))
                profile = [rid + number, texts[0], own, *texts[1:]]
                yield profile, state.resting.header(profile)

    begun, cpu = resident(), time.process_time()
    state.adopt(copied())
    assert engine.stats()["profiles"] == count
    spent = (time.process_time() - cpu) / (count - ORIGINALS) * 1e6
    took = (resident() - begun) / (count - ORIGINALS)
    print(f"copies: {took:.0f} bytes a copy, {spent:.1f} us of CPU each", flush=True)
    return engine


CONTENDERS: dict[str, Callable[[int, int], Any]] = {
    "rest": rest,
    "loaded": loaded,
    "use": use,
    "dicts": dicts,
    "redis": redis,
    "copies": copies,
}


def run(name: str, count: int, each: int) -> None:
    """Run one contender in this process, and say what it takes."""
    Reactor(retail_config())  # what the engine imports is no part of a profile
    gc.collect()
    gc.freeze()
    begun = resident()
    held = CONTENDERS[name](count, each)
    gc.collect()
    if name in BARS:
        took = (resident() - begun) / count
        print(f"{name}: {took:.0f} bytes a profile of {each} events; bar {BARS[name]} for 4", flush=True)
        begun_s = time.perf_counter()
        gc.unfreeze()
        gc.collect()
        print(f"{name}: a full collection takes {(time.perf_counter() - begun_s) * 1e3:.0f} ms", flush=True)
    del held


def main() -> None:
    """Run each contender in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profiles", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=4, choices=(4, 8))
    parser.add_argument("--only", default="rest,loaded,use,dicts,redis")
    parser.add_argument("--here", help="run this contender in this process")
    parser.add_argument("--write", help="write a snapshot of all profiles to this file")
    asked = parser.parse_args()
    if asked.write:
        engine_of(asked.profiles, asked.events, 1_000).snapshot(asked.write)
    elif asked.here:
        run(asked.here, asked.profiles, asked.events)
    else:
        for name in asked.only.split(","):
            arguments = ["--here", name, "--profiles", str(asked.profiles), "--events", str(asked.events)]
            subprocess.run([sys.executable, __file__, *arguments], check=True)


if __name__ == "__main__":
    main()
