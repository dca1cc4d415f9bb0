"""Forgetting: nothing of a person stays, and the receipt says how much it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from shop import ROWS, START, config, filled

from reactor import EventError, Forgotten, Reactor
from reactor.identity import parse_rid
from reactor.state import file

NOBODY = Forgotten(0, 0, 0, 0, 0)


def contents(engine: Reactor, folder: Path) -> bytes:
    """Return all that an engine's snapshot says, unpacked."""
    engine.snapshot(folder / "state")
    return b"".join(block.content for block in file.read(folder / "state"))


def joined() -> Reactor:
    """Return an engine with a person of three identifiers and two merged profiles, and another person."""
    engine = Reactor(config())
    engine.import_batch(
        [
            {"customer": "the-customer", "email": "the@example.com", "cookie": "the-row", "tier": "gold"},
            {"customer": "the-customer", "tier": "silver", "time": START},
            {"customer": "other", "email": "other@example.com"},
            {"customer": "later", "cookie": "the-third"},
        ]
    )
    for cookie, time in ("the-first", 10), ("the-second", 20), ("else", 30):
        engine.process({"cookie": cookie, "product": f"shoe of {cookie}", "time": START + time}, "web")
    engine.process({"cookie": "the-first", "email": "the@example.com", "time": START + 40}, "web")
    engine.process({"cookie": "the-second", "email": "the@example.com", "time": START + 50}, "web")
    engine.process({"cookie": "the-third", "email": "the@example.com", "time": START + 60}, "web")
    return engine


@pytest.mark.parametrize("way", ["email", "cookie", "rid", "merged"])
def test_nothing_is_left(tmp_path: Path, way: str) -> None:
    """Profile, identifiers, rids, rows and what rows would join are gone from the bytes; others stay."""
    engine = joined()
    view = engine.profile({"email": "the@example.com"})
    assert view is not None
    before = contents(engine, tmp_path)
    merged = [rid for rid in engine._state.identity.rids if engine._state.identity.rids[rid][0] != rid]
    traces = [b"the-first", b"the-second", b"the-third", b"the-row", b"the@example.com", b"the-customer"]
    traces += [b"gold", b"silver", *(rid.to_bytes(16, "big") for rid in (*merged, parse_rid(view.rid) or 0))]
    assert all(trace in before for trace in traces)
    if way == "rid":
        receipt = engine.forget(rid=view.rid)
    elif way == "merged":
        from reactor.identity import format_rid

        receipt = engine.forget(rid=format_rid(merged[0]))
    else:
        receipt = engine.forget({way: {"email": "the@example.com", "cookie": "the-second"}[way]})
    engine.check()
    assert receipt.profiles == 1
    assert receipt.redirections == len(merged)
    assert receipt.rows == 3
    after = contents(engine, tmp_path)
    assert [trace for trace in traces if trace in after] == []
    assert b"other@example.com" in after
    assert b"shoe of else" in after
    assert engine.profile({"email": "the@example.com"}) is None
    assert engine.profile(rid=view.rid) is None


def test_the_next_event_founds_a_new_profile_and_the_next_load_brings_the_row_back() -> None:
    """Forgetting is about what is held, not about who may come."""
    engine = joined()
    engine.forget({"email": "the@example.com"})
    outcome = engine.process({"email": "the@example.com", "time": START + 100}, "web")
    view = engine.profile({"email": "the@example.com"})
    assert view is not None
    assert view.rid == outcome.rid
    assert view.keys == {"email": ["the@example.com"]}
    assert view.attributes["tier"] is None
    engine.import_batch([{"customer": "the-customer", "email": "the@example.com", "tier": "bronze"}])
    view = engine.profile({"email": "the@example.com"})
    assert view is not None
    assert view.attributes["tier"] == "bronze"


def test_a_row_without_a_profile_is_forgotten_too() -> None:
    """Nobody came yet: the row and what it would join are all there is."""
    engine = Reactor(config())
    engine.import_batch([{"customer": "c", "email": "e@example.com", "tier": "gold"}])
    assert engine.forget({"email": "e@example.com"}) == Forgotten(0, 0, 0, 1, 2)
    assert engine.stats()["imported_rows"] == 0
    assert engine.forget({"email": "e@example.com"}) == NOBODY


def test_unknown_and_wrong_arguments() -> None:
    """Counts of zero for nobody; an error for what is no question, and nothing is erased."""
    engine = filled()
    before = engine.stats()
    assert engine.forget({"email": "nobody@example.com"}) == NOBODY
    assert engine.forget(rid="00000000-0000-7000-8000-000000000000") == NOBODY
    for arguments in (
        {},
        {"keys": {"mail": "x"}},
        {"keys": {"email": 7}},
        {"keys": {}, "rid": "x"},
        {"rid": 7},
    ):
        with pytest.raises(EventError):
            engine.forget(**arguments)
    assert engine.stats() == before


def test_two_people_in_one_question() -> None:
    """Keys that meet two profiles erase both; the rows stay out until they are loaded again."""
    engine = filled()
    both = {"cookie": "cookie-0", "email": "person1@example.com"}
    one, other = engine.profile({"cookie": "cookie-0"}), engine.profile({"email": "person1@example.com"})
    assert one is not None
    assert other is not None
    receipt = engine.forget(both)
    assert receipt.profiles == len({one.rid, other.rid})
    engine.check()
    engine.import_batch(ROWS)
    engine.check()
