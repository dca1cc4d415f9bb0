"""Every law, with profiles at rest between any two calls: which profiles rest shows in nothing.

The laws' own properties are run again on an engine that packs every profile after every call, also
after every read; and on one that keeps two rows in use, so that a merge wakes and packs midway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from random import Random
from typing import Any

import pytest
import test_atomic
import test_continue
import test_idle
import test_order_and_merge
import test_time
from hypothesis import given, settings
from hypothesis import strategies as st
from side_by_side import Pair, drive
from states import draw_events, held

from reactor import Reactor
from reactor.identity import is_at_rest
from reactor.testing.strategies import make_config

SEEDS = st.integers(0, 2**32)
FEW = settings(max_examples=max(settings.default.max_examples // 12, 1))
CALLS = (
    "process",
    "process_json",
    "ingest",
    "evaluate",
    "offers",
    "explain",
    "profile",
    "import_batch",
    "snapshot",
    "reload",
    "forget",
)
LAWS = (
    test_order_and_merge.test_l1_order,
    test_order_and_merge.test_l2_merge,
    test_time.test_l3_reading_changes_nothing,
    test_time.test_l3_state_does_not_depend_on_now,
    test_continue.test_l4_restored_at_any_point,
    test_continue.test_l4_a_restored_engine_is_the_reference,
    test_continue.test_l4_the_same_state_is_the_same_bytes,
    test_atomic.test_l10_refused_events,
    test_atomic.test_l10_refused_reads,
    test_idle.test_idle_profiles_cleared_away_are_not_missed,
)


@contextmanager
def resting(in_use: int) -> Iterator[None]:
    """Let engines keep few rows in use; none of them, after any call, if that is 0."""

    def and_rest(call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def resting_after(self: Reactor, *arguments: Any, **options: Any) -> Any:
            try:
                return call(self, *arguments, **options)
            finally:
                if in_use == 0:
                    self._state.resting.rest_all()

        return resting_after

    made = Reactor.__init__

    def make(self: Reactor, *arguments: Any, **options: Any) -> None:
        made(self, *arguments, **options)
        self.in_use = in_use

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reactor, "__init__", make)
        for name in CALLS:
            patch.setattr(Reactor, name, and_rest(getattr(Reactor, name)))
        yield


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__.removeprefix("test_"))
def test_laws_at_rest(law: Any) -> None:
    """Would catch: a reader that takes packed bytes for a row, a row packed while it is in use."""

    @FEW
    @given(SEEDS, st.sampled_from([0, 2]))
    def holds(seed: int, in_use: int) -> None:
        with resting(in_use):
            law.hypothesis.inner_test(seed)

    holds()


@pytest.mark.parametrize("seed", range(8))
def test_driver_at_rest(seed: int) -> None:
    """Any calls, side by side with the reference model."""
    random = Random(f"at rest {seed}")
    with resting(seed % 3):
        drive(Pair(make_config(random)), random, 60)


@FEW
@given(SEEDS, st.integers(0, 6))
def test_who_rests_shows_in_no_byte(seed: int, in_use: int) -> None:
    """Engines that keep all, some and no rows in use: the same answers, counts and packed profiles."""
    random = Random(seed)
    config = make_config(random)
    engines = [Reactor(config), Reactor(config)]
    engines[0].in_use, engines[1].in_use = None, in_use
    for table, event in draw_events(random, 30, distinct=False):
        answers = []
        for engine in engines:
            outcome = engine.process(event, table)
            answers.append((outcome.json(), outcome.rid, outcome.id_changes, outcome.validation_failures))
            engine.check()
        assert answers[0] == answers[1]
    assert held(engines[0]) == held(engines[1])
    assert engines[0].stats() == engines[1].stats()
    profiles = list(engines[1]._state.identity.profiles())
    awake = sum(not is_at_rest(profile) for profile in profiles)
    assert awake <= max(in_use, 1) + len(engines[0].config.keys)
