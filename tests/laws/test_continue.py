"""L4: process(A), snapshot, restore, process(B) is process(A + B), to the byte; reads change nothing."""

from __future__ import annotations

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from side_by_side import typed
from states import HALF, IDENTIFIERS, Event, answers, draw_events

from reactor import Outcome, Reactor
from reactor.identity import ABSORBED, RID
from reactor.spec import Config, load_config
from reactor.testing.histories import make_rows
from reactor.testing.reference import Reference
from reactor.testing.strategies import Choice, make_config

SEEDS = st.integers(0, 2**32)
END = "2024-06-01T00:00:00.123Z"  # after every event, and on another pane


class Saved:
    """Engines that come back from a file, in a folder of its own."""

    def __init__(self, folder: str) -> None:
        self.path = Path(folder) / "state"

    def bytes_of(self, engine: Reactor) -> bytes:
        """Return the bytes of an engine's snapshot."""
        assert engine.snapshot(self.path) == self.path.stat().st_size
        return self.path.read_bytes()

    def again(self, engine: Reactor, config: Config) -> Reactor:
        """Return an engine that goes on from another's snapshot."""
        engine.snapshot(self.path)
        fresh = Reactor(config, state=self.path)
        assert fresh.loaded is None
        fresh.check()
        return fresh


def told(outcome: Outcome) -> object:
    """Return all that an outcome tells."""
    names = ("offers", "rid", "now", "id_changes", "validation_failures")
    return [typed(getattr(outcome, name)) for name in names]


def look(random: Random, engine: Reactor, events: list[Event]) -> None:
    """Read this and that."""
    key, value = random.choice(IDENTIFIERS)
    engine.profile({key: value}, now=END)
    engine.offers({key: value})
    table, event = random.choice(events)
    engine.evaluate(event, table)
    engine.stats()


@HALF
@given(SEEDS)
def test_l4_restored_at_any_point(seed: int) -> None:
    """An engine that is saved, read, restored, told to forget and reloaded on its way, and one that isn't.

    Would catch: a count that is left out, a time rounded, an order that arrival decided, a deleted
    item that comes back, a read that folds or caches what a snapshot then shows.
    """
    random = Random(seed)
    config = load_config(make_config(random))
    events = draw_events(random, 16, distinct=False)
    rows = make_rows(random, lookup_key=str(config.lookup_key))
    straight = Reactor(config)
    broken = Reactor(config)
    with TemporaryDirectory() as folder:
        saved = Saved(folder)
        for table, event in events:
            step = random.randrange(8)
            if step == 0:
                broken = saved.again(broken, config)
            elif step == 1:
                look(random, broken, events)
            elif step == 2:
                key, value = random.choice(IDENTIFIERS)
                assert straight.forget({key: value}) == broken.forget({key: value})
            elif step == 3:
                report = broken.reload(config)
                assert (report.reset, report.added, report.dropped) == ((), (), ())
            elif step == 4:
                replace = random.random() < 0.5
                for engine in straight, broken:
                    engine.import_batch(rows, replace=replace)
                rows = make_rows(random, lookup_key=str(config.lookup_key))
            assert told(straight.process(event, table)) == told(broken.process(event, table))
            broken.check()
        assert saved.bytes_of(straight) == saved.bytes_of(broken)
        assert straight.stats() == broken.stats()
        assert answers(straight, END, rid=True) == answers(broken, END, rid=True)


@HALF
@given(SEEDS)
def test_l4_a_restored_engine_is_the_reference(seed: int) -> None:
    """With a snapshot before every fifth event, the engine answers as the model that keeps all events."""
    random = Random(seed)
    config = load_config(make_config(random))
    reference = Reference(config)
    engine = Reactor(config)
    rows = make_rows(random, lookup_key=str(config.lookup_key))
    reference.import_batch(rows)
    engine.import_batch(rows)
    with TemporaryDirectory() as folder:
        saved = Saved(folder)
        for number, (table, event) in enumerate(draw_events(random, 15, distinct=False)):
            if number % 5 == 0:
                engine = saved.again(engine, config)
            expected, got = reference.process(event, table=table), engine.process(event, table)
            assert (typed(expected.offers), expected.rid) == (typed(got.offers), got.rid)
            if got.rid is not None:
                seen, view = reference.profile(rid=got.rid), engine.profile(rid=got.rid)
                assert view is not None
                assert typed(seen.attributes) == typed(view.attributes)


@given(SEEDS)
def test_l4_the_same_state_is_the_same_bytes(seed: int) -> None:
    """Whatever the order of arrival, where L1 holds and the rids are the same.

    Would catch: the order of a dict or a set, a ring not folded, a list's order of arrival.
    """
    random = Random(seed)
    config = load_config(make_config(random, Choice(remembering=True)))
    events = draw_events(random, 16)
    late = [events[0], *random.sample(events[1:], len(events) - 1)]
    one, other = Reactor(config), Reactor(config)
    for engine, order in (one, events), (other, late):
        for table, event in order:
            engine.process(event, table)
    profiles, others = heads_and_bodies(one), heads_and_bodies(other)
    assert {rid: profiles[rid] for rid in profiles.keys() & others.keys()} == {
        rid: others[rid] for rid in profiles.keys() & others.keys()
    }


def heads_and_bodies(engine: Reactor) -> dict[int, object]:
    """Return rid → the packed profile, but for which rids were merged into it: arrival decides that."""
    packer, resting = engine._state.packer, engine._state.resting
    found = {}
    for profile in engine._state.identity.profiles():
        alone = list(resting.row(profile))
        alone[ABSORBED] = None
        found[profile[RID]] = packer.pack(alone)
    return found


def shop(**changed: Any) -> dict[str, Any]:
    """Return a small config."""
    return {
        "version": 1,
        "name": "shop",
        "identity": {"keys": {"email": {}}, "secret": "one"},
        "key_events": {"visit": "web"},
        "attributes": {"visits": {"type": "counter", "on": "visit", "window": "1d"}},
        **changed,
    }


@pytest.mark.parametrize("secret", ["one", "another", ""])
def test_l4_the_secret_is_not_in_the_fingerprint(tmp_path: Path, secret: str) -> None:
    """A rotated secret is no other config: rids stay, new ones are made with the new secret."""
    engine = Reactor(shop())
    engine.process({"email": "a@example.com", "time": 0})
    engine.snapshot(tmp_path / "state")
    again = Reactor(shop(identity={"keys": {"email": {}}, "secret": secret}), state=tmp_path / "state")
    assert again.loaded is None
    assert list(again.rids()) == list(engine.rids())
    assert again.process({"email": "a@example.com", "time": 1}).rid == next(engine.rids())
