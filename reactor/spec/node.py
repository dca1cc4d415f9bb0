"""A config as it was written: values with their places, before anything is known of their meaning."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

import msgspec

from reactor.errors import ConfigError, Problem

Path: TypeAlias = tuple[str | int, ...]
Mark: TypeAlias = tuple[int, int]  # line and column, from 1
Leaf: TypeAlias = str | int | float | bool | None

# A config of 200 attributes and as many sections has some 10,000 nodes.
MAX_NODES: Final = 200_000
MAX_DEPTH: Final = 64
MAX_FILE_BYTES: Final = 10_000_000
MAX_PROBLEMS: Final = 200

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)


class Node(msgspec.Struct, eq=False):
    """A value of a config and where it stands.

    mark: None where the source has no places: a mapping, or TOML.
    size: nodes in and below this one, those behind YAML aliases counted each time.
    depth: levels below this one.
    source: the text of a YAML scalar without quotes, such as `0123`; else None.
    """

    value: Leaf | dict[str, Node] | list[Node]
    mark: Mark | None = None
    size: int = 1
    depth: int = 0
    source: str | None = None
    key_marks: dict[str, Mark] = {}

    def child(self, step: str | int) -> Node | None:
        """Return the node below at `step`, or None."""
        if isinstance(self.value, dict):
            return self.value.get(step) if isinstance(step, str) else None
        if isinstance(self.value, list) and isinstance(step, int):
            return self.value[step] if 0 <= step < len(self.value) else None
        return None

    def find(self, path: Path) -> Node | None:
        """Return the node at `path` below this one, or None."""
        node: Node | None = self
        for step in path:
            node = node.child(step) if node is not None else None
        return node

    def locate(self, path: Path, *, key: bool = False) -> Mark | None:
        """Return the place of `path`, or of the innermost node around it that is there.

        key: whether the place of the last step's name is meant, not that of its value.
        """
        node, mark = self, self.mark
        for depth, step in enumerate(path, 1):
            below = node.child(step)
            if key and depth == len(path) and isinstance(step, str):
                return node.key_marks.get(step) or (below.mark if below is not None else None) or mark
            if below is None:
                break
            node, mark = below, below.mark or mark
        return mark

    def fill(self, value: dict[str, Node] | list[Node]) -> Node:
        """Give this node its children, and return it."""
        below = list(value.values()) if isinstance(value, dict) else value
        self.value = value
        self.size = 1 + sum(child.size for child in below)
        self.depth = 1 + max((child.depth for child in below), default=0)
        return self

    def __repr__(self) -> str:
        return f"Node({describe(self)})"


def format_path(path: Path) -> str:
    """Write a path as users do.

    >>> format_path(("personalizations", "home", "sections", "Big spender", "on", 1))
    'personalizations.home.sections["Big spender"].on[1]'
    >>> format_path(())
    '$'
    """
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{quoted(step)}]"
    return text or "$"


def quoted(text: str, most: int = 60) -> str:
    """Write text of a config in double quotes, cut when it is long.

    >>> quoted('a "b"'), quoted("x" * 99, 4)
    ('"a \\\\"b\\\\""', '"xxxx…"')
    """
    cut = text if len(text) <= most else text[:most] + "…"
    escaped = cut.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in escaped) + '"'


def describe(node: Node) -> str:
    """Say what a node is, in words: its type, and its text when it is short.

    >>> describe(Node("7 d")), describe(Node(7)), describe(Node({})), describe(Node(None))
    ('the text "7 d"', 'the number 7', 'a mapping', 'nothing')
    """
    value = node.value
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {quoted(value)}"
    text = node.source or repr(value)
    return f"the number {text}" if len(text) <= 60 else "a long number"


class Reading:
    """Collects what is wrong with a source while it is read."""

    def __init__(self, file: str | None) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def fault(self, path: Path, mark: Mark | None, message: str, hint: str = "") -> None:
        """Note a problem that leaves the rest readable."""
        if len(self.problems) < MAX_PROBLEMS:
            line, column = mark or (None, None)
            self.problems.append(Problem(format_path(path), line, column, message, hint, self.file))

    def stop(self, path: Path, mark: Mark | None, message: str, hint: str = "") -> ConfigError:
        """Return the error for a problem that leaves nothing to go on with."""
        self.problems = self.problems[: MAX_PROBLEMS - 1]
        self.fault(path, mark, message, hint)
        return ConfigError(self.problems)

    def check_depth(self, path: Path, mark: Mark | None, below: int = 0) -> None:
        """Refuse a node that lies too deep; called before its children are read."""
        if len(path) + below > MAX_DEPTH:
            raise self.stop(path[:4], mark, f"expected at most {MAX_DEPTH} levels, got more")

    def check_size(self, nodes: int, mark: Mark | None) -> None:
        """Refuse a config of too many nodes, while it is being read."""
        if nodes > MAX_NODES:
            hint = "a YAML alias counts each time it is used"
            raise self.stop((), mark, f"expected at most {MAX_NODES:,} values in a config, got more", hint)

    def check_text(self, text: str, path: Path, mark: Mark | None) -> None:
        """Note text that is no valid Unicode."""
        if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
            self.fault(path, mark, "expected valid Unicode, got text with half a surrogate pair")

    def repeated(self, key: str, path: Path, mark: Mark | None, first: Mark | None) -> None:
        """Note a key that its mapping already has."""
        hint = f"the first is in line {first[0]}" if first else ""
        self.fault((*path, key), mark, f"the key {quoted(key)} is given twice", hint)
