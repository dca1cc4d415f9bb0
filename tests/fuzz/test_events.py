"""A few hundred of the malformed events that `events.py` tries by the million."""

from __future__ import annotations

import pytest
from events import run


@pytest.mark.parametrize("seed", [1, 2])
def test_malformed_events(seed: int) -> None:
    """Catches an exception of another kind, a value in a message, and a refusal that changes state."""
    outcomes = run(600, seed)
    assert outcomes["refused"] > 50
    assert outcomes["process"] > 100
    assert sum(outcomes.values()) == 600
