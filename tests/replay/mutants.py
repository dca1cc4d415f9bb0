"""Mistakes put into the columnar replay, one at a time: the drawn cases must notice each.

    python tests/replay/mutants.py --count 120

copies the package, changes one text in it, and runs `parity.py` on the copy until a case fails, or
`list_columns.py` where lists are wrong.
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
    "an item lives a millisecond longer than its TTL": (
        "lists.py",
        "+ self._attribute.ttl_ms)",
        "+ self._attribute.ttl_ms + 1)",
    ),
    "a list holds one item more": (
        "lists.py",
        "np.arange(len(places)) + self._attribute.max_items",
        "np.arange(len(places)) + self._attribute.max_items + 1",
    ),
    "a unique list holds one value less": ("lists.py", "while size > most", "while size >= most"),
    "a value that comes again takes room twice": ("lists.py", "size += before < oldest", "size += 1"),
    "a value that is pushed out goes though it came again": (
        "lists.py",
        "size -= follower[oldest - start] > number",
        "size -= 1",
    ),
    "a value that comes again is held twice": (
        "lists.py",
        "np.minimum(ends, 2 * gone[follower] + 1, out=ends)",
        "pass",
    ),
    "a clear reaches no later item of its time": (
        "lists.py",
        "_place_since(steps, begins, steps.time[places])",
        "places",
    ),
    "a delete reaches no later item of its time": ("lists.py", "np.where(is_then, 0, ends)", "ends"),
    "a delete reaches later items": (
        "lists.py",
        "is_own & (steps.time[np.where(is_own, previous % wide, 0)] == steps.time[self._places])",
        "is_own",
    ),
    "a delete is never forgotten": (
        "lists.py",
        "is_then &= np.append(forgotten, -1)[after - 1] >= self._places",
        "pass",
    ),
    "a delete is forgotten at the event that forgets it": (
        "lists.py",
        "np.append(forgotten, -1)[after - 1] >= self._places",
        "np.append(forgotten, -1)[after - 1] > self._places",
    ),
    "a list is read after the event where it is asked for before it": (
        "lists.py",
        "earlier[self._places + before]",
        "earlier[self._places]",
    ),
    "the newest item is live if any is": (
        "spans.py",
        "np.any(self.stop[1:] < self.stop[:-1])",
        "False",
    ),
    "two items of one value are two in a list": (
        "spans.py",
        "return Spans(self.items, start, self.stop, self.count)",
        "return self",
    ),
    "a list that is made has an item that is gone": (
        "spans.py",
        "(self.start[found] <= place) & (self.stop[found] > place)",
        "self.start[found] <= place",
    ),
    "an item without a value counts": (
        "aggregate.py",
        "known = spans.only(column.codes >= 0)",
        "known = spans",
    ),
    "a whole number and its double beyond 2^53 are two in a list": (
        "aggregate.py",
        "seen.setdefault(items.value_key(value), len(seen))",
        "seen.setdefault(repr(value), len(seen))",
    ),
}
# Where mistakes are of lists alone, which are tried apart.
OF_LISTS = {"lists.py", "spans.py", "aggregate.py"}


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
        if file in OF_LISTS:
            command = [sys.executable, str(HERE / "list_columns.py"), "--count", str(10 * count)]
        else:
            command = [sys.executable, str(HERE / "parity.py"), "--count", str(count), "--seed", "mutants"]
        done = subprocess.run(
            command, env=os.environ | {"PYTHONPATH": folder}, capture_output=True, check=False
        )
    return done.returncode != 0 and b"AssertionError" in done.stderr


def main() -> None:
    """Try each mistake, and say which were noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--only", default="", help="mistakes in one file")
    asked = parser.parse_args()
    missed = 0
    chosen = {name: change for name, change in MUTANTS.items() if asked.only in change[0]}
    for name, change in chosen.items():
        noticed = is_noticed(change, asked.count)
        missed += not noticed
        print(f"{'noticed' if noticed else 'MISSED '}  {name}", flush=True)
    sys.exit(missed > 0)


if __name__ == "__main__":
    main()
