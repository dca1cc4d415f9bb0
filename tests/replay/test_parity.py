"""Law L5: for a history sorted by time, the columnar replay and the live engine write the same rows."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from . import parity


@given(st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=50)
def test_drawn_configs_and_histories_agree(random: Random, roomy: bool) -> None:
    """Every table, row by row. Would catch any other tie, pane, window, rid, order or form of a value."""
    parity.check(parity.draw(random, roomy=roomy))


@pytest.mark.parametrize("number", range(10))
def test_few_events_need_the_live_engine(number: int) -> None:
    """Where no cap is reached, columns do it all but for sums beyond 64 bits and forgotten deletes."""
    verdict = parity.check(parity.draw(Random(f"roomy/{number}"), roomy=True))
    assert set(verdict.reasons) <= {"sum", "deletes"}
