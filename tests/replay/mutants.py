"""Mistakes put into the columnar replay, one at a time: the drawn cases must notice each.

    python tests/replay/mutants.py --count 120

copies the package, changes one text in it, and runs `parity.py` on the copy until a case fails.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import reactor

HERE = Path(__file__).resolve().parent
COLUMNS = "replay/columns"

# What is wrong → file, what stands there, what is put in its place.
MUTANTS = {
    "a window reaches a pane too far": (
        "windows.py",
        "(now - window_ms) // pane_ms * pane_ms",
        "((now - window_ms) // pane_ms - 1) * pane_ms",
    ),
    "at equal times the younger profile is the later": (
        "sequences.py",
        "list(reversed(children))",
        "list(children)",
    ),
    "before.X counts the event itself": (
        "windows.py",
        "self._before[places if before else places + 1]",
        "self._before[places + 1]",
    ),
    "an expired single is read": (
        "profile.py",
        "has &= reader.now - time < attribute.ttl_ms",
        "has &= reader.now - time <= attribute.ttl_ms",
    ),
    "the lesser text of two lookup values wins": (
        "imported.py",
        "moment * width + self._values) % width",
        "moment * width + width - 1 - self._values)\n        self._best = width - 1 - self._best % width",
    ),
    "a merge leaves the copies of events out": (
        "sequences.py",
        "events = np.concatenate(below)",
        "events = np.concatenate(below)[:0]",
    ),
    "a key counts what the event brought before it": (
        "profile.py",
        "codes = np.where(is_change, codes + len(values), codes)",
        "codes = np.where(is_change, codes, codes)",
    ),
    "an identifier that is null is none": (
        "joining.py",
        "NULL if value is None else value",
        "value",
    ),
}


def is_noticed(change: tuple[str, str, str], count: int) -> bool:
    """Run the drawn cases on a package with one change; return whether one failed."""
    file, old, new = change
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder, "reactor")
        shutil.copytree(Path(reactor.__file__).parent, package)
        target = package / COLUMNS / file
        text = target.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file}: {old}"
        target.write_text(text.replace(old, new), encoding="utf-8")
        command = [sys.executable, str(HERE / "parity.py"), "--count", str(count), "--seed", "mutants"]
        done = subprocess.run(
            command, env=os.environ | {"PYTHONPATH": folder}, capture_output=True, check=False
        )
    return done.returncode != 0 and b"AssertionError" in done.stderr


def main() -> None:
    """Try each mistake, and say which were noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=120)
    asked = parser.parse_args()
    missed = 0
    for name, change in MUTANTS.items():
        noticed = is_noticed(change, asked.count)
        missed += not noticed
        print(f"{'noticed' if noticed else 'MISSED '}  {name}", flush=True)
    sys.exit(missed > 0)


if __name__ == "__main__":
    main()
