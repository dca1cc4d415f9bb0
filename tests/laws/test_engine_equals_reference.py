"""The engine against the reference model, call by call, and its invariants after each.

Twice: as a state machine, which hypothesis shrinks to the fewest calls that disagree; and as a plain
driver, which makes thousands of calls from seeds that a failure names.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from side_by_side import Pair, drive

from reactor import ring
from reactor.testing.histories import START_MS, make_event, make_rows
from reactor.testing.strategies import Choice, make_config

SEEDS = st.integers(0, 2**32)
STEPS_MS = (0, 1, 999, 1_000, 60_000, 90_000, 3_600_000, 20 * 3_600_000, 3 * 86_400_000)
KEYS = st.sampled_from(
    [("client", "c1"), ("client", "c2"), ("mail", "m1@x"), ("customer", "u1"), ("canonical", "k1")]
)
AUDIENCES = st.sampled_from(["public", "private"])


@pytest.mark.parametrize("seed", range(60))
def test_driver(seed: int) -> None:
    """A random config, and 60 calls with every profile compared: 3,600 calls in all."""
    random = Random(f"driver {seed}")
    pair = Pair(make_config(random))
    drive(pair, random, 60)


@pytest.mark.parametrize("seed", range(10))
def test_driver_merging(seed: int) -> None:
    """Few identifiers and no cap, so that profiles of many events merge; no junk, so that all count."""
    random = Random(f"merging {seed}")
    config: dict[str, Any] = make_config(random, Choice(remembering=True))
    config["limits"] = {"window": "90d"}
    pair = Pair(config)
    drive(pair, random, 120, junk=0)


@pytest.mark.parametrize("seed", range(20))
def test_driver_folding(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rings that fold at every chance, instead of when they have grown: sums stay what they are."""
    monkeypatch.setattr(ring, "FIRST_LIMIT", 1)
    monkeypatch.setattr(ring, "EMPTY", ((), (0,), 1))
    random = Random(f"folding {seed}")
    config: dict[str, Any] = make_config(random)
    attributes = config["attributes"]
    for name in [name for name in attributes if name.startswith(("counter", "total"))]:
        attributes[name]["on"] = {"view": None, "order": None, "refund": "n < 0"}
        attributes[name].update({"increment": "n"} if "increment" in attributes[name] else {})
    pair = Pair(config)
    drive(pair, random, 100, junk=0)


class Machine(RuleBasedStateMachine):
    """Both engines, one clock of event times, and what may be called next."""

    @initialize(seed=SEEDS)
    def start(self, seed: int) -> None:
        """Draw the config."""
        self.pair = Pair(make_config(Random(seed)))
        self.now_ms = START_MS

    @rule(
        seed=SEEDS,
        step_ms=st.sampled_from(STEPS_MS),
        late_ms=st.sampled_from((0, 0, *STEPS_MS)),
        to=AUDIENCES,
    )
    def process(self, seed: int, step_ms: int, late_ms: int, to: str) -> None:
        """Process an event, on time or late, and compare the profile."""
        self.now_ms += step_ms
        table, event = make_event(Random(seed), self.now_ms - late_ms)
        self.pair.process(event, table=table, audience=to)

    @rule(seed=SEEDS, ahead_ms=st.sampled_from((-400_000, -1, 0, 300_000, 300_001)))
    def process_at(self, seed: int, ahead_ms: int) -> None:
        """Process an event that is ahead of `now`, behind it, or has no time of its own."""
        random = Random(seed)
        table, event = make_event(random, random.choice((self.now_ms + ahead_ms, None)))
        self.pair.process(event, table=table, now=self.now_ms / 1000)

    @rule(seed=SEEDS)
    def ingest(self, seed: int) -> None:
        """Ingest an event."""
        table, event = make_event(Random(seed), self.now_ms)
        self.pair.call("ingest", event, table=table)

    @rule(seed=SEEDS, to=AUDIENCES)
    def evaluate(self, seed: int, to: str) -> None:
        """Evaluate an event."""
        table, event = make_event(Random(seed), self.now_ms)
        self.pair.call("evaluate", event, table=table, audience=to)

    @rule(seed=SEEDS, replace=st.booleans())
    def import_batch(self, seed: int, replace: bool) -> None:
        """Load batch rows."""
        rows = make_rows(Random(seed), lookup_key=str(self.pair.config.lookup_key))
        self.pair.call("import_batch", rows, replace=replace)

    @rule(key=KEYS, later_ms=st.sampled_from((None, 0, 61_000, 3 * 86_400_000)), to=AUDIENCES)
    def read(self, key: tuple[str, str], later_ms: int | None, to: str) -> None:
        """Read a profile and its offers, now or later."""
        now = None if later_ms is None else (self.now_ms + later_ms) / 1000
        self.pair.call("profile", dict([key]), now=now)
        self.pair.call("offers", dict([key]), now=now, audience=to)

    @precondition(lambda self: bool(self.pair.reference.identity.profiles))
    @rule(place=st.integers(0, 99))
    def read_rid(self, place: int) -> None:
        """Read by a rid, of a living profile or a merged-away one."""
        profiles = self.pair.reference.identity.profiles.values()
        rids = sorted(rid for profile in profiles for rid in (profile.rid, *profile.merged))
        self.pair.call("profile", rid=rids[place % len(rids)])


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=25)
TestMachine = Machine.TestCase
