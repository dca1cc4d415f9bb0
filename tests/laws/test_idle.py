"""Idle profiles against the reference model, which judges each by itself and clears nothing away."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from side_by_side import Pair, drive

from reactor.state import leaving
from reactor.testing.histories import CLIENTS, MAILS, START_MS, make_event, make_rows
from reactor.testing.strategies import make_config

SEEDS = st.integers(0, 2**32)
MINUTE_MS = 60_000


def idle_config(random: Random, idle: str) -> dict[str, Any]:
    """Draw a config whose profiles leave after an idle time."""
    config: dict[str, Any] = make_config(random)
    config["limits"]["idle"] = idle
    return config


@given(SEEDS)
def test_idle_profiles_cleared_away_are_not_missed(seed: int) -> None:
    """Whether a row has been cleared away or not, events and reads find the same.

    Would catch: a sweep that takes a profile too early, an idle profile that is merged or read, rows
    that lead to one, an identifier that still points at it.
    """
    random = Random(seed)
    pair = Pair(idle_config(random, random.choice(["10m", "2d"])))
    pair.call("import_batch", make_rows(random, lookup_key=str(pair.config.lookup_key)))
    time_ms = START_MS
    for _ in range(30):
        time_ms += random.choice((0, 1, MINUTE_MS, 9 * MINUTE_MS, 10 * MINUTE_MS, 86_400_000))
        late_ms = random.choice((0, 0, 0, 1_000, MINUTE_MS, 10 * MINUTE_MS))
        table, event = make_event(random, time_ms - late_ms)
        if random.random() < 0.2:
            pair.call("evaluate", event, table=table)
        pair.process(event, table=table)
        key, value = random.choice([("client", random.choice(CLIENTS)), ("mail", random.choice(MAILS))])
        pair.call(random.choice(("profile", "offers")), {key: value}, now=time_ms / 1000)


@pytest.mark.parametrize("seed", range(30))
def test_driver_idle(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any calls, however late: without clearing, each profile's own idle time is all that counts."""
    monkeypatch.setattr(leaving, "SWEPT", 0)
    random = Random(f"idle {seed}")
    pair = Pair(idle_config(random, random.choice(["10m", "1h", "2d"])))
    drive(pair, random, 60)
