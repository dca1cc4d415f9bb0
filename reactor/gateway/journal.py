"""The journal as it is written: one thread, one sync for all that waits, files that follow one another."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TypeAlias

from reactor.gateway.segment import Entry, Segment, first_of, path_of, paths

# Told once the entries are on the disk, or why they are not: a text without any value of theirs.
Written: TypeAlias = Callable[[str | None], None]
Job: TypeAlias = Callable[[], None]


class Journal:
    """Writes entries to the files of a folder, in a thread of its own.

    first: number of the entry that comes next. It goes to the file that is open last, which holds
    the entries before it, or to a new one.
    """

    def __init__(self, folder: Path, first: int) -> None:
        self._folder = folder
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        existing = paths(folder)
        self._segment: Segment | None = None
        self._path = existing[-1] if existing else path_of(folder, first)
        self._segment = Segment(self._path)
        if self._segment.last() != first - 1:
            self._segment.close()
            self._path = path_of(folder, first)
            self._segment = Segment(self._path)
        self._thread = Thread(target=self._run, name="reactor journal", daemon=True)
        self._thread.start()

    def write(self, entries: Sequence[Entry], written: Written) -> None:
        """Write and sync entries in one go; `written` is called in the journal's thread."""
        self._jobs.put(lambda: written(self._write(entries)))

    def rotate(self, first: int) -> None:
        """Begin a new file at the entry `first`, which comes next."""
        self._jobs.put(lambda: self._rotate(first))

    def remove(self, files: Sequence[Path]) -> None:
        """Remove files that nothing needs any more."""
        self._jobs.put(lambda: _remove(files))

    def close(self) -> None:
        """Finish what was begun, and close the file."""
        self._jobs.put(None)
        self._thread.join()
        if self._segment is not None:
            self._segment.close()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _write(self, entries: Sequence[Entry]) -> str | None:
        try:
            if self._segment is None:
                self._segment = Segment(self._path)
            self._segment.append(entries)
        except (sqlite3.Error, OSError) as error:
            reason = str(error) or type(error).__name__
        else:
            return None
        # Whether a commit that failed is on the disk only the file can tell.
        return None if self._is_written(entries) else reason

    def _is_written(self, entries: Sequence[Entry]) -> bool:
        if self._segment is not None:
            self._segment.close()
            self._segment = None
        with suppress(sqlite3.Error, OSError):
            self._segment = Segment(self._path)
            return self._segment.last() == entries[-1].seq
        return False

    def _rotate(self, first: int) -> None:
        # What does not work here is tried again by the next entry, which then says what is wrong.
        if self._segment is None or self._segment.last() != first - 1 or first_of(self._path) == first:
            return
        self._segment.close()
        self._segment, self._path = None, path_of(self._folder, first)
        with suppress(sqlite3.Error, OSError):
            self._segment = Segment(self._path)


def _remove(files: Sequence[Path]) -> None:
    for file in files:
        for path in (file, file.with_name(file.name + "-wal"), file.with_name(file.name + "-shm")):
            with suppress(OSError):
                path.unlink(missing_ok=True)
