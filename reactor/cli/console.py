"""What the commands say and where: results to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, TextIO, TypeAlias

from reactor.errors import ReactorError

# Told how much is done: `report(done, total)`; total is None while it is not known.
Report: TypeAlias = Callable[[int, int | None], None]

DONE, FOUND, FAILED, INTERRUPTED = 0, 1, 2, 130


class CommandError(ReactorError):
    """The command could not run, for one or several reasons. Exit code 2."""

    def __init__(self, *reasons: str) -> None:
        self.reasons = reasons
        super().__init__("\n".join(reasons))


def say(*lines: str) -> None:
    """Print lines of a command's result to stdout.

    >>> say("one", "two")
    one
    two
    """
    for line in lines:
        print(line)


def warn(text: str) -> None:
    """Print a warning to stderr: the result stands, but should be looked at."""
    print(f"{paint('warning:', 'yellow', sys.stderr)} {text}", file=sys.stderr)


def complain(problem: str) -> None:
    """Print an error to stderr; an expression and its caret, on further lines, are indented."""
    first, *rest = problem.splitlines()
    print(f"{paint('error:', 'red', sys.stderr)} {first}", file=sys.stderr)
    for line in rest:
        print(f"    {line}", file=sys.stderr)


def note(text: str) -> None:
    """Print a remark to stderr: something a person may want to know."""
    print(text, file=sys.stderr)


_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def paint(text: str, style: str, stream: TextIO | None = None) -> str:
    """Return `text` in a style if the stream (default: stdout) is a terminal that wants colour.

    >>> import io
    >>> paint("ok", "green", io.StringIO())
    'ok'
    """
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if _coloured(stream or sys.stdout) else text


def _coloured(stream: TextIO) -> bool:
    return on_terminal(stream) and "NO_COLOR" not in os.environ


def on_terminal(stream: TextIO) -> bool:
    """Tell whether a person looks at the stream."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def aligned(rows: Sequence[Sequence[str]], indent: int = 2) -> list[str]:
    """Lay rows out in columns, two spaces apart.

    >>> aligned([("a", "single", "text"), ("visits", "counter", "")])
    ['  a       single   text', '  visits  counter']
    """
    if not rows:
        return []
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append(" " * indent + "  ".join([*cells, row[-1]]).rstrip())
    return [line.rstrip() for line in lines]


def printable(text: str) -> str:
    """Return `text` with line ends and terminal controls made visible.

    >>> printable("a\\x1b[31m")
    'a\\\\x1b[31m'
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def count_of(number: int, noun: str, plural: str = "") -> str:
    """Write a number with its noun.

    >>> count_of(1, "row"), count_of(1200, "row"), count_of(2, "match", "matches")
    ('1 row', '1,200 rows', '2 matches')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


@contextmanager
def progress(description: str) -> Iterator[Report]:
    """Show a bar, the rate and the time left on stderr, if that is a terminal and rich is there."""
    if not on_terminal(sys.stderr):
        yield _silent
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        from reactor.cli.rate import RateColumn
    except ImportError:
        yield _silent
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[counted]}"),
        RateColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=None, counted="")
        yield lambda done, total: bar.update(task, completed=done, total=total, counted=_counted(done, total))


def _counted(done: int, total: int | None) -> str:
    return f"{done:,}" if total is None else f"{done:,} of {total:,}"


def _silent(done: int, total: int | None) -> None:
    """Report to nobody."""


def binary_stdout() -> BinaryIO:
    """Return stdout for bytes, with nothing of the text layer left behind."""
    sys.stdout.flush()
    return sys.stdout.buffer
