"""Damages snapshots at random: every one is refused with a SnapshotError, at little cost.

    python tests/snapshot/damage.py 100000    # damages; some minutes

A damage flips bits, cuts, repeats, moves or fills a run of bytes, or writes a length that lies. A
file that is the whole one again must load; anything else must be refused by a SnapshotError that
names the file and a byte, and shows no value.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from pathlib import Path
from random import Random

from shop import filled

from reactor import SnapshotError
from reactor.state import State, restore

MOST_KB = 300_000  # the process, at its largest


def damaged(random: Random, data: bytes) -> bytes:
    """Return `data` with one thing wrong."""
    place = random.randrange(len(data))
    length = random.choice((1, 2, 4, 16, random.randrange(1, len(data))))
    way = random.randrange(7)
    if way == 0:
        return data[:place]
    if way == 1:
        return data[:place] + bytes([data[place] ^ 1 << random.randrange(8)]) + data[place + 1 :]
    if way == 2:
        return data[:place] + data[place + length :]
    if way == 3:
        return data[:place] + data[place : place + length] + data[place:]
    if way == 4:
        return data[:place] + random.choice((b"\x00", b"\xff")) * length + data[place + length :]
    if way == 5:
        other = random.randrange(len(data))
        return data[:place] + data[other : other + length] + data[place + length :]
    return data[:place] + random.randbytes(length) + data[place + length :]


def damage(count: int, random: Random, folder: Path) -> int:
    """Damage a snapshot `count` times; return how many were refused. The others were whole."""
    engine = filled()
    path = folder / "state"
    engine.snapshot(path)
    whole = path.read_bytes()
    state = State(engine.config)
    refused = 0
    for _ in range(count):
        data = damaged(random, whole)
        path.write_bytes(data)
        try:
            restore(state, path)
        except SnapshotError as error:
            refused += 1
            text = str(error)
            assert str(path) in text, text
            assert "at byte" in text, text
            assert "example.com" not in text, text
            assert error.__context__ is None
        else:
            assert data == whole
        empty(state)
    return refused


def empty(state: State) -> None:
    """Empty a state for the next round: to compile a new one takes much longer."""
    for entries in (state.identity.rids, *state.identity.index, state.batch.versions):
        entries.clear()
    state.identity.profile_count = 0
    state.restore_waiting([])


if __name__ == "__main__":
    damages = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        number = damage(damages, Random(1), Path(name))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert peak < MOST_KB, f"{peak} KB"
    print(f"{damages} damages, {number} refused, the others whole again; {peak // 1000} MB at most")
