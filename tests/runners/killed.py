"""Kills what replays on Spark while it replays: the tables stay those of one machine, byte for byte.

    python tests/runners/killed.py executor     # one of two executors, twice: local-cluster[2,1,1500]
    python tests/runners/killed.py worker       # the Python workers, twice: local[2,4]

Each is killed with SIGKILL, once in the middle of the replays, and once when their outcome lies on the
executors' disks. Prints who was killed and how many tasks failed; ends with 1 if a row differs, or if
nobody was killed.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]  # the checkout, not what is installed

from replay.pieces import JOINING  # noqa: E402  # after the path

from runners.same import ASKED, NUMBER, ROWS, TABLES, alone, history, texts  # noqa: E402

BUCKETS = 24
MASTERS = {"executor": "local-cluster[2,1,1500]", "worker": "local[2,4]"}
SETTINGS = {
    "spark.driver.memory": "600m",
    "spark.executor.memory": "600m",
    "spark.executorEnv.PYTHONPATH": str(ROOT),
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


class Process(NamedTuple):
    """A process of this machine."""

    pid: int
    parent: int
    command: str


def processes() -> Iterator[Process]:
    """Yield the processes of this machine that can be read."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if fields[0] != "Z":
            yield Process(int(folder.name), int(fields[1]), command)


def victims(spark: Any, kind: str) -> list[int]:
    """Return the processes of a session that are to be killed: one executor, or all Python workers."""
    own = {spark.sparkContext._gateway.proc.pid}
    every = list(processes())
    for _ in range(6):  # a worker is a child of a daemon, which is a child of an executor
        own |= {each.pid for each in every if each.parent in own}
    if kind == "executor":
        return [each.pid for each in every if each.pid in own and "CoarseGrained" in each.command][:1]
    daemons = {each.pid for each in every if each.pid in own and "pyspark.daemon" in each.command}
    return [each.pid for each in every if each.parent in daemons]


class Killer:
    """Kills in the middle of the replays. killed: how many; failed: the most tasks of a stage that failed."""

    def __init__(self, spark: Any, kind: str) -> None:
        self.killed = self.failed = 0
        self._spark = spark
        self._kind = kind
        self._done = Event()
        self._thread = Thread(target=self._watch)

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def kill(self) -> None:
        """Kill now."""
        for pid in victims(self._spark, self._kind):
            os.kill(pid, signal.SIGKILL)
            self.killed += 1

    def _watch(self) -> None:
        tracker = self._spark.sparkContext.statusTracker()
        while not self._done.wait(0.02):
            for stage in map(tracker.getStageInfo, tracker.getActiveStageIds()):
                if stage is None:
                    continue
                self.failed = max(self.failed, stage.numFailedTasks)
                if not self.killed and stage.numTasks == BUCKETS and stage.numCompletedTasks >= 3:
                    self.kill()


def survived(spark: Any, kind: str, folder: Path, say: Callable[[str], None] = print) -> bool:
    """Replay a small history, kill twice, and tell whether every table is that of one machine."""
    from reactor.runners.spark import simulate

    frame = history(11, events=1_500, people=400)
    frame.write_parquet(folder / "events.parquet")
    events = spark.read.parquet(str(folder / "events.parquet")).repartition(4)
    expected = alone(frame)
    tables = {"attributes": True, "attributes_before": True, "profiles": True}
    run = simulate(spark, JOINING, events, batch=ROWS, order=NUMBER, buckets=BUCKETS, **ASKED)
    with Killer(spark, kind) as killer:
        run.made(**tables).summary()
        first, failed = killer.killed, killer.failed
        killer.kill()
        same = {
            name: texts(run._outcome.table(name, **tables)) == texts(getattr(expected, name))
            for name in TABLES
        }
    later = killer.killed - first
    say(f"{kind}: {first} killed in the middle of the replays, where {failed} tasks failed; then {later}")
    differing = [name for name, is_same in same.items() if not is_same]
    say(
        f"{kind}: {', '.join(differing)} differ"
        if differing
        else f"{kind}: {len(same)} tables, the same bytes"
    )
    return bool(first and failed and later and not differing)


def main(kind: str) -> int:
    """Kill one kind; return 0 if the tables are those of one machine."""
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ["PYTHONPATH"] = str(ROOT)
    builder = SparkSession.builder.master(MASTERS[kind])
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    # What fails is meant to fail.
    spark.sparkContext.setLogLevel("OFF")
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        is_right = survived(spark, kind, Path(folder))
    print(f"{kind}: {time.perf_counter() - begun:.0f} s")
    spark.stop()
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
