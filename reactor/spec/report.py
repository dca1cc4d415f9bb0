"""Collects the problems of a config while it is resolved, each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from reactor.errors import ConfigError, Problem, did_you_mean
from reactor.spec.node import MAX_PROBLEMS, Node, Path, Reading, format_path, quoted

# Comparing names costs the product of their lengths: nothing longer was ever a typing mistake.
_MAX_HINTED: Final = 256
_MAX_LISTED: Final = 10
_MAX_COMPARED: Final = 20_000  # names over all hints, about a second


class Report:
    """Problems and warnings, by path; the document knows where each path stands."""

    def __init__(self, root: Node, reading: Reading) -> None:
        self.root = root
        self.file = reading.file
        self.problems: list[Problem] = list(reading.problems)
        self.warnings: list[Problem] = []
        # Entries that could not be converted: their names are known, and nothing else.
        self.broken: set[Path] = set()
        self._seen = {(problem.path, problem.message) for problem in self.problems}
        self._paths = {problem.path for problem in self.problems}
        self._compared = 0

    @property
    def full(self) -> bool:
        """Whether there are so many problems that no more are kept."""
        return len(self.problems) >= MAX_PROBLEMS

    def error(self, path: Path, message: str, hint: str = "", *, key: bool = False) -> None:
        """Note a problem at `path`, once.

        key: whether the name at the end of `path` is at fault, rather than its value.
        """
        self._add(self.problems, path, message, hint, key)

    def warn(self, path: Path, message: str, hint: str = "", *, key: bool = False) -> None:
        """Note a warning at `path`, once."""
        self._add(self.warnings, path, message, hint, key)

    def _add(self, problems: list[Problem], path: Path, message: str, hint: str, key: bool) -> None:
        text = format_path(path)
        if (text, message) in self._seen or len(problems) >= MAX_PROBLEMS:
            return
        self._seen.add((text, message))
        if problems is self.problems:
            self._paths.add(text)
        line, column = self.root.locate(path, key=key) or (None, None)
        problems.append(Problem(text, line, column, message, hint, self.file))

    def says(self, path: Path) -> bool:
        """Tell whether there is a problem at `path`."""
        return format_path(path) in self._paths

    def hint(self, name: str, names: Iterable[str]) -> str:
        """Return the hint for a name that is not one of `names`: the nearest, or "" if none is near."""
        known = list(names)
        self._compared += len(known)
        if len(name) > _MAX_HINTED or self.full or self._compared > _MAX_COMPARED:
            return ""
        return did_you_mean(name, known)

    def choice(self, name: str, names: Iterable[str]) -> str:
        """Return the hint for a name that is not one of `names`: the nearest, or a few of them all."""
        known = list(names)
        near = self.hint(name, known)
        if near or not 0 < len(known) <= _MAX_LISTED or any(len(other) > _MAX_HINTED for other in known):
            return near
        return f"there {'is' if len(known) == 1 else 'are'} {', '.join(map(quoted, known))}"

    def break_(self, path: Path) -> None:
        """Note that the entry at `path` could not be made sense of; its problem is reported already."""
        self.broken.add(path)

    def broken_under(self, path: Path) -> set[str]:
        """Return the names of the broken entries directly below `path`."""
        return {str(other[-1]) for other in self.broken if other[:-1] == path}

    def raise_problems(self) -> None:
        """Raise ConfigError if there is a problem: in the order of the file."""
        if self.problems:
            raise ConfigError(sorted(self.problems, key=_place))

    def sorted_warnings(self) -> tuple[Problem, ...]:
        """Return the warnings in the order of the file."""
        return tuple(sorted(self.warnings, key=_place))


def _place(problem: Problem) -> tuple[int, int]:
    return problem.line or 0, problem.column or 0
