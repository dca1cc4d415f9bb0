"""Batch rows for a replay: read, loaded into an engine, and reported on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from reactor.frames import BadRow, Source, rows_of
from reactor.replay.history import Reject
from reactor.replay.options import BadRowError
from reactor.spec.model import Config
from reactor.state import BatchReport


class Loads(Protocol):
    """What batch rows can be loaded into."""

    def import_batch(self, rows: object, *, replace: bool = True) -> BatchReport:
        """Load rows."""


class Batch:
    """Batch rows, read once; `rejects` are the rows of the file that are none."""

    def __init__(self, source: Source, config: Config, *, strict: bool) -> None:
        keys = [key.name for key in config.keys]
        rows = rows_of(source, keys=keys, most_bytes=config.limits.event_bytes)
        name = os.fspath(source) if isinstance(source, str | os.PathLike) else "batch"
        self.rejects: list[Reject] = []
        self.rows: list[Mapping[str, object]] = []
        for number, row in enumerate(rows.take(range(len(rows)))):
            if not isinstance(row, BadRow):
                self.rows.append(row)
            elif strict:
                raise BadRowError(name, None, row.path, row.reason)
            else:
                self.rejects.append(Reject(None, None, name, number, row.path, row.reason))

    def load(self, engine: Loads) -> dict[str, Any]:
        """Load the rows; return the engine's report, as JSON has it."""
        report = msgspec.structs.asdict(engine.import_batch(self.rows))
        return {name: list(value) if isinstance(value, tuple) else value for name, value in report.items()}
