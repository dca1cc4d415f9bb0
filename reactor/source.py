"""Turns generated text into functions that a debugger can step through.

Text is only ever made of our own words: names and constants of the config go in through the
globals, under names made here. The text is registered with `linecache`, so that tracebacks
show the generated lines and `inspect.getsource` prints them.
"""

from __future__ import annotations

import hashlib
import linecache
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class Source:
    """A module being written: lines with their indentation, and the globals they need.

    >>> source = Source()
    >>> with source.block("def double(x):"):
    ...     source.add(f"return x * {source.constant(2.5)}")
    >>> source.load()["double"](2)
    5.0
    """

    __slots__ = ("_depth", "_names", "_temps", "globals", "lines")

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.globals: dict[str, Any] = {}
        self._names: dict[int, str] = {}
        self._depth = 0
        self._temps = 0

    def add(self, *lines: str) -> None:
        """Append lines at the current indentation."""
        self.lines.extend("    " * self._depth + line for line in lines)

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        """Append `header` and indent what is added inside; an empty block gets a `pass`."""
        self.add(header)
        self._depth += 1
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.add("pass")
        self._depth -= 1

    @contextmanager
    def aside(self) -> Iterator[list[str]]:
        """Collect what is added inside apart from the text, to be added later, at any depth."""
        kept, self.lines = self.lines, []
        depth, self._depth = self._depth, 0
        yield self.lines
        self.lines, self._depth = kept, depth

    def constant(self, value: object) -> str:
        """Return the name of a global bound to `value`; the same object gets the same name."""
        return self._bind(value, "K")

    def function(self, value: object) -> str:
        """Return the name of a global bound to a function or method, made of its own name."""
        return self._bind(value, getattr(value, "__name__", "f").strip("_<>") + "_")

    def _bind(self, value: object, prefix: str) -> str:
        # The globals keep the object alive, so that its id stays its own.
        name = self._names.get(id(value))
        if name is None or self.globals.get(name) is not value:
            name = f"{prefix}{len(self.globals)}"
            self._names[id(value)] = name
            self.globals[name] = value
        return name

    def temp(self) -> str:
        """Return a local name that is not in use yet."""
        self._temps += 1
        return f"t{self._temps}"

    def text(self) -> str:
        """Return the text written so far."""
        return "\n".join(self.lines) + "\n"

    def load(self, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Compile and run the text; return its namespace. `extra`: further globals."""
        return load(self.text(), {**self.globals, **(extra or {})})


def load(text: str, names: dict[str, Any]) -> dict[str, Any]:
    """Run generated `text` with `names` as its globals and return them, filled."""
    filename = f"<reactor {hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    exec(compile(text, filename, "exec"), names)
    return names
