"""The processes that replay buckets side by side.

They are started anew, never forked, for a forked process has the locks of its parent's threads but
not the threads. No `__main__` is run in them, so that a script needs no guard.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TypeAlias

import msgspec

from reactor.errors import ReactorError

_Process: TypeAlias = "subprocess.Popen[bytes]"


class Workers:
    """Some processes that wait for buckets of a folder; `close` ends them, whatever they are at."""

    def __init__(self, count: int, folder: Path) -> None:
        self._processes: list[_Process] = []
        try:
            for _ in range(count):
                self._processes.append(_started(folder, count))
        except BaseException:
            self.close()
            raise

    def replay(self, buckets: int, hand_out: Callable[[int], None]) -> Iterator[int]:
        """Have the buckets replayed; yield the number of each when its results are there, in any order.

        hand_out: called with a bucket's number, in a thread, before a process is asked to replay it.
        Raises ReactorError as a replay does, and where a process ended before its time; else what
        `hand_out` raises.
        """
        waiting = deque(range(buckets))
        done: SimpleQueue[int | Exception] = SimpleQueue()
        for process in self._processes:
            Thread(target=_drive, args=(process, waiting, hand_out, done), daemon=True).start()
        for _ in range(buckets):
            found = done.get()
            if isinstance(found, Exception):
                raise found
            yield found

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                with suppress(OSError):
                    pipe.close()
        self._processes.clear()


def _drive(
    process: _Process,
    waiting: deque[int],
    hand_out: Callable[[int], None],
    done: SimpleQueue[int | Exception],
) -> None:
    """Give a process one bucket after the other, until none is left or something fails."""
    while waiting:
        try:
            bucket = waiting.popleft()
        except IndexError:  # another thread was faster
            return
        try:
            hand_out(bucket)
        except Exception as error:
            done.put(error)
            return
        problem = _ask(process, bucket)
        if problem is not None:
            done.put(ReactorError(problem))
            return
        done.put(bucket)


def _ask(process: _Process, bucket: int) -> str | None:
    """Have a bucket replayed; return what went wrong, if anything did."""
    assert process.stdin is not None
    assert process.stdout is not None
    line = b""
    with suppress(OSError, ValueError):  # a pipe that broke, or was closed
        process.stdin.write(f"{bucket}\n".encode())
        process.stdin.flush()
        line = process.stdout.readline()
    if line:
        error: str | None = msgspec.json.decode(line).get("error")
        return error
    status = process.wait()
    how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
    return (
        f"workers: expected an answer of a process that replays a part, but it {how}; if memory ran out,"
        " take fewer workers, or a size for `memory`"
    )


def _started(folder: Path, count: int) -> _Process:
    """Start a process, out of reach of the terminal's Ctrl-C: its parent ends it."""
    # Their libraries share the cores.
    threads = {"POLARS_MAX_THREADS": str(max(1, (os.cpu_count() or 1) // count))}
    paths = [str(Path(__file__).parents[2]), *filter(None, sys.path)]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "reactor.replay.worker", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**threads, **os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        process_group=0 if os.name == "posix" else None,
    )
