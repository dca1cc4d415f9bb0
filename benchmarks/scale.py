"""The replay on Spark against one machine: CPU time, wall clock and memory, the adapter's part apart.

    python benchmarks/scale.py --events 1000000                # one machine, then one and two workers
    python benchmarks/scale.py --events 10000000 --only one,2  # 4 GB

Each contender is a process of its own, and writes the offers to parquet. CPU time is that of all its
processes, Java's apart from Python's; memory is the greatest sum of their own pages and of their shares
in common ones, looked at every quarter of a second. `replay` is what the buckets were replayed in, as
the report of the split has it; all else that Spark takes is the adapter's and its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "runners")]  # the checkout, not what is installed

from killed import Process, processes  # noqa: E402  # after the path
from large import History, retail_v1  # noqa: E402

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
SETTINGS = {
    "spark.driver.memory": "1g",
    "spark.sql.files.maxPartitionBytes": "16m",
    "spark.ui.showConsoleProgress": "false",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure each contender; print a line of JSON each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument(
        "--only", default="one,1,2", help="one, pieces (one machine in 2 GB), numbers of workers"
    )
    parser.add_argument(
        "--buckets", type=int, default=0, help="default: one for each 100,000 events, 8 at least"
    )
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    options.buckets = options.buckets or max(8, options.events // 100_000)
    if options.folder is not None:
        print(json.dumps(measured(options)))
        return 0
    digests = set()
    with tempfile.TemporaryDirectory() as place:
        retail_v1(Path(place), options.events)
        for who in options.only.split(","):
            command = [
                sys.executable,
                "-W",
                "ignore",
                __file__,
                "--events",
                str(options.events),
                "--only",
                who,
            ]
            command += ["--buckets", str(options.buckets), "--folder", place]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            print(done.stdout.strip(), flush=True)
            digests.add(json.loads(done.stdout)["digest"])
    if len(digests) > 1:
        print("the offers differ")
    return 0 if len(digests) == 1 else 1


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Run one contender in this process and those it starts."""
    history = History(*_kept(options))
    out = options.folder / f"offers-{options.only}"
    with Watch() as watch:
        if options.only in ("one", "pieces"):
            found = one_machine(history, out, watch, in_pieces=options.only == "pieces")
        else:
            found = on_spark(history, out, watch, options)
        total = watch.lap("rest")
    digest = digest_of(out)
    return {
        "who": options.only,
        "events": options.events,
        **found,
        **total,
        "peak_mb": watch.peak_mb,
        "digest": digest,
    }


def _kept(options: argparse.Namespace) -> tuple[Any, Mapping[str, Path], Any]:
    from reactor.spec import load_config
    from reactor.testing import workloads

    tables = (workloads.PAGES, workloads.ORDERS)
    events = {table: options.folder / f"{table}.parquet" for table in tables}
    return load_config(dict(workloads.retail_config())), events, workloads.batch_rows()


def one_machine(history: History, out: Path, watch: Watch, *, in_pieces: bool) -> dict[str, Any]:
    """Replay here, whole or in pieces of 2 GB."""
    from reactor.frames.writing import write_frames
    from reactor.replay import Replay
    from reactor.replay.pieced import PiecedReplay, sizes_of

    out.mkdir()
    events: Any = dict(history.events)
    if in_pieces:
        pieced = PiecedReplay(history.config, events, batch=history.batch, sizes=sizes_of("2GB"))
        found = {**watch.lap("read")}
        write_frames(pieced.parted().frames("offers"), out / "1.parquet")
        pieced.close()
    else:
        replay = Replay(history.config, events, batch=history.batch)
        found = {**watch.lap("read")}
        results = replay.run(id_changes=False)
        write_frames(results.frames("offers"), out / "1.parquet")
    return {**found, **watch.lap("replay")}


def on_spark(history: History, out: Path, watch: Watch, options: argparse.Namespace) -> dict[str, Any]:
    """Replay on Spark with so many workers."""
    from reactor.runners import lake
    from reactor.runners.session import session
    from reactor.runners.spark import split

    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYTHONPATH"] = str(ROOT)
    with session(f"local[{options.only},4]", SETTINGS) as spark:
        found = {**watch.lap("start")}
        events = lake.events(spark, [(str(path), table) for table, path in history.events.items()])
        outcome = split(spark, [history.config], events, history.batch, lake.NUMBER, options.buckets)
        found |= watch.lap("look")
        outcome.made().count()
        found |= watch.lap("pass")
        outcome.given("offers").write.parquet(str(out))
        found |= watch.lap("write")
        outcome.summary()
        took = outcome.split["by_bucket"]
        found["replay_cpu_s"] = round(sum(each["cpu_seconds"] for each in took), 1)
        found["largest_bucket"] = max(each["rows"] for each in took)
        return found


def digest_of(out: Path) -> str:
    """Return a digest of offers, sorted by event."""
    import hashlib

    import polars as pl

    frame = pl.read_parquet(out / "*.parquet", columns=["event", "section", "rid", "attributes"])
    rows = frame.sort("event", maintain_order=True).hash_rows(seed=7)
    return hashlib.blake2b(rows.to_numpy().tobytes(), digest_size=8).hexdigest()


class Watch:
    """Looks at this process and all it started. peak_mb: the most memory of all of them together."""

    def __init__(self) -> None:
        self.peak_mb = 0
        self._cpu: dict[int, tuple[str, float]] = {}
        self._update()
        self._last = self._sums()
        self._last_s = time.perf_counter()
        self._done = Event()
        self._thread = Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def lap(self, name: str) -> dict[str, float]:
        """Return the seconds since the last lap: of the clock, and of CPU time in Python and in Java."""
        self._update()
        now_s, sums = time.perf_counter(), self._sums()
        found = {f"{name}_s": round(now_s - self._last_s, 1)}
        for kind in sums:
            used = sums[kind] - self._last.get(kind, 0)
            if used >= 0.05:
                found[f"{name}_{kind}_cpu_s"] = round(used, 1)
        self._last_s, self._last = now_s, sums
        return found

    def _look(self) -> None:
        while not self._done.wait(0.25):
            self._update()
            memory = sum(_bytes(pid) for pid in list(self._cpu))
            self.peak_mb = max(self.peak_mb, memory // 1_000_000)

    def _update(self) -> None:
        for each in family(os.getpid()):
            kind = "java" if "java" in each.command.partition(" ")[0] else "python"
            self._cpu[each.pid] = (kind, _cpu_s(each.pid) or self._cpu.get(each.pid, ("", 0.0))[1])

    def _sums(self) -> dict[str, float]:
        sums: dict[str, float] = {}
        for kind, used in self._cpu.values():
            sums[kind] = sums.get(kind, 0.0) + used
        return sums


def family(pid: int) -> Iterator[Process]:
    """Yield a process and all that it started, directly or by others."""
    every = list(processes())
    known = {pid}
    while True:
        more = {each.pid for each in every if each.parent in known} - known
        if not more:
            break
        known |= more
    yield from (each for each in every if each.pid in known)


def _cpu_s(pid: int) -> float:
    """Return the CPU time of a process, 0 if it is gone; that of its children is counted for themselves."""
    with suppress(OSError, ValueError):  # it may be gone
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * TICK_S
    return 0.0


def _bytes(pid: int) -> int:
    with suppress(OSError, ValueError):  # it may be gone
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
