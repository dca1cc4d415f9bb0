"""What an engine holds, as plain data that can be compared."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

from hypothesis import settings
from side_by_side import typed

from reactor import Reactor
from reactor.identity import RID
from reactor.testing.histories import CLIENTS, CUSTOMERS, MAILS, Times, make_event

# For laws whose examples are long: half as many, of whichever profile runs.
HALF = settings(max_examples=settings.default.max_examples // 2)

Event = tuple[str, dict[str, object]]
IDENTIFIERS = [
    *(("client", value) for value in CLIENTS),
    *(("mail", value) for value in MAILS),
    *(("customer", value) for value in CUSTOMERS),
    *(("guest", value) for value in ("i1", "i2")),
    *(("canonical", value) for value in ("k1", "k2")),
]


def held(engine: Reactor) -> dict[str, bytes]:
    """Return rid → the profile's state, packed; everything an engine holds but rows and counts."""
    pack = engine._state.resting.pack
    return {str(profile[RID]): pack(profile) for profile in engine._state.identity.profiles()}


def counts(engine: Reactor) -> dict[str, Any]:
    """Return the engine's counts but for that of refused events."""
    return {name: value for name, value in engine.stats().items() if name != "refused"}


def answers(engine: Reactor, now: object, *, rid: bool) -> dict[frozenset[object], object]:
    """Return identifiers → what is read of their profile at `now`; with its rid or without."""
    found: dict[frozenset[object], object] = {}
    for key, value in IDENTIFIERS:
        view = engine.profile({key: value}, now=now)
        if view is not None:
            identifiers = frozenset((name, text) for name, texts in view.keys.items() for text in texts)
            shown = [view.created, view.last_seen, typed(view.attributes)]
            found[identifiers] = [view.rid, *shown] if rid else shown
    return found


def take(engine: Reactor, events: Iterable[Event]) -> Reactor:
    """Process events, checking the invariants after each."""
    for table, event in events:
        engine.process(event, table=table)
        engine.check()
    return engine


def draw_events(random: Random, count: int, *, distinct: bool = True, late: float = 0.25) -> list[Event]:
    """Draw events; without equal times if they are to be distinct."""
    times = Times(random, distinct=distinct, late=late)
    return [make_event(random, times.draw()) for _ in range(count)]
