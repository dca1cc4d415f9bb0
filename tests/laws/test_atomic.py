"""L10: a call that is refused leaves the engine as it was, but for the count of refused events."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from states import HALF, counts, draw_events, held, take

from reactor import Reactor, ReactorError
from reactor.testing.histories import make_event, make_rows
from reactor.testing.strategies import make_config

SEEDS = st.integers(0, 2**32)
BAD_TIMES: tuple[object, ...] = (
    "soon",
    "",
    -1,
    True,
    [1],
    {},
    1e18,
    float("inf"),
    "1969-12-31",
    2**70,
    "\ud800",
)
BAD_BODIES: tuple[object, ...] = (
    b"",
    b"{",
    b"[]",
    "null",
    b'{"a":}',
    b"\xff",
    7,
    None,
    [],
    b'{"a":1' + b" " * 10**6,
)


def spoil(
    random: Random, table: str, event: dict[str, object]
) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """Return a call that must be refused, made of one that would not be."""
    column = "at" if table == "shop.orders" else "time"
    way = random.randrange(6)
    if way == 0:
        return "process", ({**event, column: random.choice(BAD_TIMES)},), {"table": table}
    if way == 1:
        return "ingest", (random.choice(BAD_BODIES),), {"table": table, "now": 1}
    if way == 2:
        return "process", (event,), {"table": table, "now": random.choice((*BAD_TIMES[:4], [], 1e18))}
    if way == 3:
        return (
            "process",
            ({name: value for name, value in event.items() if name != column},),
            {"table": table},
        )
    if way == 4:
        return "process", (event,), {"table": random.choice((None, 7))}
    return "process", (event,), {"table": table, "audience": random.choice(("everyone", None, 1))}


@HALF
@given(SEEDS)
def test_l10_refused_events(seed: int) -> None:
    """A refused event changes no byte of the state and no count but its own.

    Would catch: identifiers attached before the time is read, a row made for nobody, an event
    counted before it is decoded.
    """
    random = Random(seed)
    engine = Reactor(make_config(random))
    engine.import_batch(make_rows(random, lookup_key=str(engine.config.lookup_key)))
    take(engine, draw_events(random, 8, distinct=False))
    for table, event in draw_events(random, 6, distinct=False):
        method, arguments, options = spoil(random, table, event)
        before, refused = (held(engine), counts(engine)), engine.stats()["refused"]
        with pytest.raises(ReactorError):
            getattr(engine, method)(*arguments, **options)
        engine.check()
        assert (held(engine), counts(engine)) == before
        # A table or an audience that is none is the caller's fault, not the event's.
        is_caller = "audience" in options or options["table"] in (None, 7)
        assert engine.stats()["refused"] == refused + (not is_caller)
    take(engine, draw_events(random, 3))


@pytest.mark.parametrize("rows", [None, 7, "rows", {"u": "1"}, [1], [{"customer": "u1"}, None], b"x"])
def test_l10_refused_rows(rows: object) -> None:
    """Rows that are none load nothing, and leave those that were there."""
    random = Random(1)
    engine = Reactor(make_config(random))
    engine.import_batch([{"customer": "u1", "guest": "i1", "tier": "gold"}])
    take(engine, draw_events(random, 8))
    before = held(engine), engine.stats()
    with pytest.raises(ReactorError):
        engine.import_batch(rows)
    assert (held(engine), engine.stats()) == before


@HALF
@given(SEEDS)
def test_l10_refused_reads(seed: int) -> None:
    """A read that is refused changes nothing, not even the count of refused events."""
    random = Random(seed)
    engine = take(Reactor(make_config(random)), draw_events(random, 5))
    table, event = make_event(random, None)
    before = held(engine), engine.stats()
    for call in (
        lambda: engine.profile({"client": "c1"}, now="soon"),
        lambda: engine.offers({"client": "c1"}, audience="all"),
        lambda: engine.offers({"clients": "c1"}),
        engine.profile,
        lambda: engine.evaluate(event, table),
        lambda: engine.evaluate(event, table, now=-1),
    ):
        with pytest.raises(ReactorError):
            call()
        assert (held(engine), engine.stats()) == before
