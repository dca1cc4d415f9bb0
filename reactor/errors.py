"""Exceptions, and the words they use.

Every exception says what was expected, what was got and where. None of them ever
carries a value of an event: only types, paths, lengths, and text of the config itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

import msgspec


class ReactorError(Exception):
    """Base of all exceptions this package raises on purpose."""


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with a config.

    path: where in the config, as `attributes.visits.window`.
    line, column: 1-based position in the file; None for a config given as a mapping.
    message: what was expected and what was found, in one sentence. A problem in an
        expression has the expression and a caret under the place on further lines.
    hint: what to do about it, such as the nearest valid name; "" where there is none.
    file: path of the config file; None for a mapping.
    """

    path: str
    line: int | None
    column: int | None
    message: str
    hint: str = ""
    file: str | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        first, _, rest = self.message.partition("\n")
        text = f"{place + ': ' if place else ''}{self.path}: {first}"
        if self.hint:
            text += f" ({self.hint})"
        return f"{text}\n{rest}" if rest else text


class ConfigError(ReactorError, ValueError):
    """A config can't be used. `problems` lists everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class EventError(ReactorError, ValueError):
    """An event, a read or a batch row was refused; the engine is as it was before.

    path: the column or argument at fault, as `time` or `$` for the event as a whole.
    reason: what was expected and what was got, without any value.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")


class SnapshotError(ReactorError, ValueError):
    """A snapshot is damaged, unreadable, or of another make."""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the valid name that looks most like `name`, or None if none is close.

    >>> nearest("vists", ["visits", "orders"])
    'visits'
    """
    known = list(names)
    by_case = [other for other in known if other.lower() == name.lower()]
    close = by_case or get_close_matches(name, known, n=1, cutoff=0.6)
    return close[0] if close else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return the hint for a name that is not one of `names`: "" when nothing is close."""
    close = nearest(name, names)
    return f'did you mean "{close}"?' if close else ""
