"""Structured logs: one JSON object a line, and never a value of an event, a token or a key.

A line has `time`, `level`, `event` and what belongs to it: names, counts, statuses, durations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

import msgspec

from reactor.gateway.settings import Logs
from reactor.units import format_time

_encode = msgspec.json.Encoder().encode


class Log:
    """Writes lines to a stream. `clock` gives epoch seconds.

    >>> import sys
    >>> Log(sys.stdout, lambda: 0.0).info("started", profiles=3)
    {"time":"1970-01-01T00:00:00.000Z","level":"info","event":"started","profiles":3}
    """

    def __init__(self, stream: TextIO | None, clock: Callable[[], float], level: Logs = "errors") -> None:
        self._stream = None if level == "none" else stream
        self._clock = clock
        self.requests = level == "requests"

    def info(self, event: str, **fields: str | float | None) -> None:
        """Write what a person may want to know."""
        self._write("info", event, fields)

    def fault(self, event: str, **fields: str | float | None) -> None:
        """Write what a person should look at."""
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, str | float | None]) -> None:
        if self._stream is None:
            return
        line = {"time": format_time(int(self._clock() * 1000)), "level": level, "event": event, **fields}
        try:
            self._stream.write(_encode(line).decode() + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            # Nobody reads any more: serving goes on.
            self._stream = None


def place_of(error: BaseException) -> str:
    """Say where an error was raised, by kind, file and line: its text may hold values."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    return f"{type(error).__name__}{where}"
