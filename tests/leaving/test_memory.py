"""`limits.memory`: the account, who leaves at the ceiling, and that nothing else shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor import EventError, Reactor
from reactor.testing.histories import Times, make_event, make_rows
from reactor.testing.strategies import make_config

SEEDS = st.integers(0, 2**32)
CEILINGS = ({"memory": "6KB"}, {"memory": "12KB"}, {"memory": "30KB", "idle": "1h"}, {"profiles": 5})
FEW = settings(max_examples=max(settings.default.max_examples // 10, 1))
SHOP: dict[str, Any] = {
    "version": 1,
    "name": "shop",
    "identity": {"keys": {"c": {}, "d": {}}, "lookup_key": "d"},
    "key_events": {"see": "t"},
    "attributes": {
        "visits": {"type": "counter", "on": "see", "window": "1d"},
        "many": {"type": "list", "on": "see", "item": "v", "aggregations": {"all": {"distinct": "item"}}},
    },
}


def shop(memory: str, when_full: str = "evict", **limits: Any) -> Reactor:
    """Return an engine with a ceiling in bytes."""
    return Reactor({**SHOP, "limits": {"memory": memory, "when_full": when_full, **limits}})


def account_of(engine: Reactor) -> Any:
    """Return the engine's account."""
    assert engine._state.account is not None
    return engine._state.account


def test_the_longest_idle_leaves() -> None:
    """By newest event, then rid; counted and listed like those that `limits.profiles` evicts."""
    engine = shop("12KB")
    rids = [engine.process({"c": f"c{number}", "time": number}).rid for number in range(30)]
    stats = engine.stats()
    left = stats["evicted_full"]
    assert 10 < left < 30
    assert stats["evicted_last"] == rids[:left]
    assert stats["profiles"] == 30 - left
    assert account_of(engine).total() <= account_of(engine).ceiling


def test_known_profiles_that_grow_make_others_leave() -> None:
    """No profile is new, and yet there is less room."""
    engine = shop("200KB")
    for number in range(100):
        engine.process({"c": f"c{number}", "time": number})
    assert engine.stats()["evicted_full"] == 0
    for number in range(1_000):
        engine.process({"c": f"c{50 + number % 50}", "time": 200 + number, "v": "x" * 1_000})
    engine.check()
    stats = engine.stats()
    assert stats["evicted_full"] > 50
    # What 64 events bring may be too much until the next is seen to.
    assert account_of(engine).total() < 200_000 * 7 // 8 + 64 * 1_100


def test_new_profiles_are_refused() -> None:
    """At the path of the limit; the engine is then as it was, but for the count."""
    engine = shop("12KB", "refuse")
    taken = 0
    with pytest.raises(EventError) as caught:
        for number in range(30):
            engine.process({"c": f"c{number}", "time": number})
            taken += 1
    assert caught.value.path == "limits.memory"
    assert str(caught.value) == (
        "limits.memory: expected at most 12000 bytes, got an event that would found another profile"
    )
    before = engine.stats()
    assert (before["profiles"], before["refused"], before["evicted_full"]) == (taken, 1, 0)
    assert engine.process({"c": "c0", "time": 40}).rid is not None
    engine.forget({"c": "c1"})
    assert engine.process({"c": "another", "time": 40}).rid is not None
    engine.check()


def test_idle_profiles_make_room() -> None:
    """Those that are gone leave first, whoever else would be refused."""
    engine = shop("12KB", "refuse", idle="1h")
    for number in range(30):
        engine.process({"c": f"c{number}", "time": number * 3_600})
    assert engine.stats()["evicted_full"] == 0
    assert engine.stats()["refused"] == 0


def test_batch_rows_count() -> None:
    """A table of rows leaves less room for profiles, and gives it back."""
    engine = shop("100KB")
    for number in range(60):
        engine.process({"c": f"c{number}", "time": number})
    assert engine.stats()["evicted_full"] == 0
    rows = [{"d": f"d{number}", "c": f"e{number}", "segments": ["1", "2"]} for number in range(60)]
    engine.import_batch(rows)
    empty, full = 0, account_of(engine).rows
    assert full > 60 * 500
    engine.process({"c": "new", "time": 100})
    engine.check()
    assert engine.stats()["evicted_full"] > 10
    engine.forget({"d": "d3"})
    assert account_of(engine).rows < full
    engine.import_batch([])
    assert account_of(engine).rows == empty


def test_rows_in_use_keep_to_their_share() -> None:
    """An eighth of the ceiling is theirs, reckoned at ten times what they take at rest."""
    engine = shop("1MB")
    for number in range(1_000):
        engine.process({"c": f"c{number}", "time": number, "v": "x" * 200})
        assert account_of(engine)._in_use * 10 <= 1_000_000 // 8 + 64 * 10_000
    assert engine._state.resting.in_use < 64 + 20


@FEW
@given(SEEDS, st.sampled_from(CEILINGS), st.sampled_from(["evict", "refuse"]))
def test_l4_under_a_ceiling(seed: int, limits: dict[str, object], when_full: str) -> None:
    """Engines that rest, wake, restart and reload at different moments evict and refuse the same.

    Would catch: an account that depends on what is in use, on what was read, or on a restart.
    """
    random = Random(seed)
    config: dict[str, Any] = make_config(random)
    config["limits"].update(limits, when_full=when_full)
    straight, broken = Reactor(config), Reactor(config)
    straight.in_use, broken.in_use = None, random.choice((0, 1, 3))
    rows = make_rows(random, lookup_key=str(straight.config.lookup_key))
    times = Times(random)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        for number in range(24):
            table, event = make_event(random, times.draw())
            event["client"] = f"c{random.randrange(40)}"
            step = random.randrange(7)
            if step == 0:
                broken.snapshot(path)
                broken = Reactor(config, state=path)
            elif step == 1:
                broken.reload(config)
            elif step == 2:
                broken.profile({"client": f"c{number}"})
                broken._state.resting.rest_all()
            elif step == 3:
                assert straight.import_batch(rows) == broken.import_batch(rows)
            elif step == 4:
                forgotten = {"client": f"c{random.randrange(40)}"}
                assert straight.forget(forgotten) == broken.forget(forgotten)
            answers = [answer_of(engine, table, event) for engine in (straight, broken)]
            assert answers[0] == answers[1]
            broken.check()
        straight.check()
        assert straight.stats() == broken.stats()
        straight.snapshot(path)
        whole = path.read_bytes()
        broken.snapshot(path)
        assert path.read_bytes() == whole


def answer_of(engine: Reactor, table: str, event: dict[str, object]) -> object:
    """Return what an event is answered, or why it is refused."""
    try:
        outcome = engine.process(event, table)
    except EventError as error:
        return str(error)
    return outcome.json(), outcome.rid, outcome.id_changes


MEASURE = """
import sys
from reactor import Reactor
from reactor.testing.workloads import batch_rows, profiles_v1, retail_config

def rss():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1024

def measured(make, count):
    engine = make()
    rows = batch_rows()
    for table, event in profiles_v1(10):
        engine.ingest(event, table)
    begun = rss()
    before = engine._state.account.total()
    engine.import_batch(rows)
    del rows
    for table, event in profiles_v1(count):
        engine.ingest(event, table)
    held = engine._state.account.total() - before
    return rss() - begun, held

print(*measured(lambda: Reactor({**retail_config(), "limits": {"memory": "20MB"}}), 30_000))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is read there")
def test_the_account_is_what_the_process_takes() -> None:
    """At the ceiling the process has grown by no more than it, and the account is near the truth."""
    run = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    grown, held = map(int, run.stdout.split())
    assert 15_000_000 < held <= 17_500_000
    assert 0.6 * held < grown < 20_000_000 * 1.3
