"""Kills a process while it writes snapshots, again and again: the file is always a whole one.

    python tests/snapshot/crash.py 300      # kills; prints how many fell inside a write

Each round starts a process that replaces one file by the snapshots of two states in turn, and
kills it after a random time with SIGKILL. What is then in the file must be one of the two, to the
byte, and must load.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from shop import config, filled

from reactor import Reactor

SIZES = (40, 60)  # events of the two states
WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from shop import SIZES_OF_CRASH, filled
engines = [filled(size) for size in SIZES_OF_CRASH]
sys.stdout.write("ready\\n")
sys.stdout.flush()
while True:
    for engine in engines:
        engine.snapshot(sys.argv[1])
""".replace("SIZES_OF_CRASH, ", "").replace("SIZES_OF_CRASH", repr(SIZES))


def crash(count: int, random: Random, sleep: Callable[[float], None] = time.sleep) -> int:
    """Kill a writer `count` times; return how often it left a file that it had not finished."""
    unfinished = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        whole = set()
        for size in SIZES:
            filled(size).snapshot(path)
            whole.add(path.read_bytes())
        for _ in range(count):
            _kill(path, random.uniform(0, 0.02), sleep)
            assert path.read_bytes() in whole
            Reactor(config(), state=path).check()
            left = list(Path(folder).glob("state.*.tmp"))
            unfinished += bool(left)
            for each in left:
                each.unlink()
            assert {each.name for each in Path(folder).iterdir()} == {"state"}
    return unfinished


def _kill(path: Path, after_s: float, sleep: Callable[[float], None]) -> None:
    command = [sys.executable, "-c", WRITER, str(path), str(Path(__file__).parent)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "ready\n"
        sleep(after_s)
        process.kill()
        process.wait(30)


if __name__ == "__main__":
    kills = int(sys.argv[1])
    print(f"{kills} kills, {crash(kills, Random(1))} inside a write; the file was whole every time")
