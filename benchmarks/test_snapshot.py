"""`snapshot`: all state out to a file and in again, against pickle of the unpacked rows.

The peer is what one would write without a snapshot: `pickle.dump` of the list of rows with
protocol 5, into a file that is synced, and `pickle.load` of it, with the identifiers and rids put
into their dicts again. Both run in turn in one process, on the profiles of `profiles-v1`.
"""

from __future__ import annotations

import gc
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from sizes import FULL

from reactor import Reactor
from reactor.identity import KEYS, RID, Profile
from reactor.spec import Config, load_config
from reactor.state import State, restore, write
from reactor.testing.workloads import batch_rows, profiles_v1, retail_config

PROFILES = int(os.environ.get("REACTOR_BENCH_PROFILES", "0")) or (1_000_000 if FULL else 1_000)
ROUNDS = 3 if FULL else 1
BAR_OUT, BAR_IN, BAR_BYTES = 1.5, 1.2, 1 / 3


def pickled(rows: list[Profile], path: Path) -> int:
    """Write rows as the peer does; return the bytes."""
    with path.open("wb") as stream:
        pickle.dump(rows, stream, 5)
        stream.flush()
        os.fsync(stream.fileno())
        return stream.tell()


def unpickled(path: Path, keys: int) -> tuple[dict[int, Profile], list[dict[str, Profile]]]:
    """Read rows as the peer does, with the dicts that find them."""
    with path.open("rb") as stream:
        rows = pickle.load(stream)
    index: list[dict[str, Profile]] = [{} for _ in range(keys)]
    rids = {}
    for row in rows:
        rids[row[RID]] = row
        for k in range(keys):
            for value in row[KEYS + k] or ():
                index[k][value] = row
    return rids, index


def restored(config: Config, path: Path) -> int:
    """Fill a new state, compiled config and all; return how many profiles it has."""
    fresh = State(config)
    restore(fresh, path)
    return fresh.identity.profile_count


def spent_s(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU time of a call, all threads together, and its result."""
    gc.collect()
    begun = time.process_time()
    result = call()
    return time.process_time() - begun, result


@pytest.fixture(scope="module")
def engine() -> Reactor:
    """An engine with all profiles, none of them packed: the peer has its rows as they are in use."""
    made = Reactor(retail_config())
    made.in_use = None
    made.import_batch(batch_rows())
    for table, event in profiles_v1(PROFILES):
        made.ingest(event, table)
    return made


def test_snapshot(benchmark: Any, say: list[str], engine: Reactor, tmp_path: Path) -> None:
    """Bars: out 1.5 times and in 1.2 times as fast as pickle, a third of its bytes."""
    config = load_config(retail_config())
    keys = len(config.keys)
    ours, theirs = tmp_path / "state", tmp_path / "pickle"
    state = engine._state
    rows = list(state.identity.profiles())
    costs: dict[str, list[float]] = {name: [] for name in ("out", "in", "pickle out", "pickle in")}

    def run() -> tuple[int, int]:
        spent, size = spent_s(lambda: write(state, ours))
        costs["out"].append(spent)
        spent, peer_size = spent_s(lambda: pickled(rows, theirs))
        costs["pickle out"].append(spent)
        spent, profiles = spent_s(lambda: restored(config, ours))
        costs["in"].append(spent)
        assert profiles == PROFILES
        spent, (rids, index) = spent_s(lambda: unpickled(theirs, keys))
        costs["pickle in"].append(spent)
        assert len(rids) == PROFILES
        assert len(index[0]) == PROFILES
        return size, peer_size

    size, peer_size = benchmark.pedantic(run, rounds=ROUNDS)
    one = 1e6 / PROFILES
    middle = {name: median(spent) * one for name, spent in costs.items()}
    for way, bar in ("out", BAR_OUT), ("in", BAR_IN):
        one, other = middle[way], middle[f"pickle {way}"]
        say.append(
            f"{way} {one:.2f} us, pickle {other:.2f} us a profile: {other / one:.2f} times as fast; bar {bar}"
        )
    say.append(
        f"{size / PROFILES:.1f} bytes a profile, pickle {peer_size / PROFILES:.1f}: "
        f"{size / peer_size:.3f} of it; bar {BAR_BYTES:.3f}"
    )
    assert size < peer_size * BAR_BYTES or PROFILES < 10_000


def test_answers(engine: Reactor, tmp_path: Path) -> None:
    """What came back is what was there: the same bytes, the same answers to the next events."""
    engine.snapshot(tmp_path / "state")
    again = Reactor(retail_config(), state=tmp_path / "state")
    again.snapshot(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "state").read_bytes()
    for number, (table, event) in enumerate(profiles_v1(PROFILES)):
        if number == 1_000:
            break
        later = {**event, "time": int(str(event["time"])) + 5 * 86_400}
        assert again.process(later, table).json() == engine.process(later, table).json()
