"""`Reactor.inspect`: of a running engine what `reactor inspect` says of its snapshot."""

from __future__ import annotations

from pathlib import Path

import msgspec
from shop import filled

from reactor.state import inspect


def test_an_engine_is_inspected_as_its_snapshot(tmp_path: Path) -> None:
    """But for the file, whether profiles are at rest or in use; and nothing is written."""
    engine = filled()
    engine.snapshot(tmp_path / "state")
    expected = msgspec.structs.replace(inspect(tmp_path / "state"), file_bytes=0)
    assert engine.inspect() == expected
    engine._state.resting.rest_all()
    assert engine.inspect() == expected


def test_what_costs_room_can_be_told() -> None:
    """By attribute, by kind and by profile, adding up to what the profiles take, packed."""
    engine = filled()
    seen = engine.inspect()
    sizes = engine.packed_sizes()
    held = sum(seen.bytes_by_attribute.values()) + seen.bytes_by_kind["identity"]
    assert 0 < held <= sum(sizes.values()) < held + 8 * len(sizes) + sum(sizes.values()) // 4
    assert seen.largest[0].bytes == max(each.bytes for each in seen.largest)
    assert {each.rid for each in seen.largest} <= sizes.keys()
    assert seen.oldest_ms is not None
    assert seen.counts["refused"] == engine.stats()["refused"]
