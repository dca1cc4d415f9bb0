"""A short soak; the long one is a command: see `soak.py`."""

from __future__ import annotations

from soak import CEILING, WARM, soak


def test_floods_of_every_kind() -> None:
    """Every bound holds, and memory does not grow from round to round."""
    grown = soak(rounds=5, events=60)
    assert max(grown[WARM:]) <= max(grown[:WARM]) + 4_000_000
    assert max(grown) < 2 * CEILING
