"""Compares a revision with the checkout, both measured in one run: for a reviewer.

    python benchmarks/compare.py main~1                      # process and process_json
    python benchmarks/compare.py v0.1.0 --events 50000 --rounds 5

The revision is checked out into a temporary git worktree. The workers, the workload and the
Python are those of the checkout; only the package `reactor` differs. Chunks run in turn (see
`pairs.py`), so the ratio holds on a machine that is not quiet. The answers are compared too.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the checkout, not what is installed

import pairs  # noqa: E402  # after the path


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line a door: the cost of an event at the revision and now, and the ratio."""
    options = _options(arguments)
    changed = []
    with _worktree(options.revision) as base:
        for door in options.doors.split(","):
            sides = [pairs.Side("head", door, ROOT), pairs.Side(options.revision, door, base)]
            rounds = pairs.measure(sides, options.events, options.rounds)
            print(f"{door}: {pairs.line(rounds, 'head', options.revision)}")
            changed += [door] if len(set(_digests(sides, options.events))) > 1 else []
    for door in changed:
        print(f"{door}: the answers differ")
    return 1 if changed else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("revision", help="the base: anything `git rev-parse` takes")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--doors", default="engine,door", help="contenders, with commas (engine,door)")
    return parser.parse_args(arguments)


@contextmanager
def _worktree(revision: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "base"
        _git("worktree", "add", "--detach", str(path), revision)
        try:
            yield path
        finally:
            _git("worktree", "remove", "--force", str(path))


def _git(*command: str) -> None:
    subprocess.run(["git", "-C", str(ROOT), *command], check=True, capture_output=True)


def _digests(sides: Sequence[pairs.Side], events: int) -> Iterator[str]:
    for side in sides:
        with pairs.Process(side, events) as worker:
            yield worker.ask("digest")["digest"]


if __name__ == "__main__":
    sys.exit(main())
