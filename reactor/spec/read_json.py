"""JSON to nodes, with places and repeated keys, which the standard library's loader drops."""

from __future__ import annotations

import json
import re
from typing import NoReturn

from reactor.errors import ConfigError
from reactor.spec.node import Mark, Node, Path, Reading

_SPACE = re.compile(r"[ \t\n\r]*")


def read_json(text: str, reading: Reading) -> Node:
    """Return the nodes of a JSON document.

    Raises ConfigError for text that is not one JSON document; repeated keys are noted in
    `reading`.
    """
    return _Parser(text, reading).document()


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


class _Parser:
    """Walks objects and arrays itself and leaves scalars to the standard library."""

    def __init__(self, text: str, reading: Reading) -> None:
        self.text = text
        self.reading = reading
        self.at = 0
        self.nodes = 0
        self.line, self.line_start = 1, 0
        self.scalars = json.JSONDecoder(parse_constant=_no_constant)

    def document(self) -> Node:
        root = self.node(())
        self.space()
        if self.at < len(self.text):
            raise self.stop("expected the end of the file")
        return root

    def space(self) -> None:
        match = _SPACE.match(self.text, self.at)
        assert match is not None
        newlines = self.text.count("\n", self.at, match.end())
        if newlines:
            self.line += newlines
            self.line_start = self.text.rindex("\n", self.at, match.end()) + 1
        self.at = match.end()

    def mark(self) -> Mark:
        return self.line, self.at - self.line_start + 1

    def stop(self, expected: str) -> ConfigError:
        got = "the end of the file" if self.at >= len(self.text) else ascii(self.text[self.at])
        return self.reading.stop((), self.mark(), f"not readable as JSON: {expected}, got {got}")

    def node(self, path: Path) -> Node:
        self.space()
        mark = self.mark()
        self.nodes += 1
        self.reading.check_size(self.nodes, mark)
        self.reading.check_depth(path, mark)
        first = self.text[self.at : self.at + 1]
        if first == "{":
            return self.mapping(path, mark)
        if first == "[":
            return self.array(path, mark)
        return self.scalar(path, mark)

    def scalar(self, path: Path, mark: Mark) -> Node:
        start = self.at
        try:
            value, end = self.scalars.raw_decode(self.text, start)
        except (ValueError, RecursionError):
            end = -1
        if end < 0:
            raise self.stop("expected a value in JSON's notation")
        self.at = end
        if isinstance(value, str):
            self.reading.check_text(value, path, mark)
            return Node(value, mark)
        return Node(value, mark, source=self.text[start:end])

    def array(self, path: Path, mark: Mark) -> Node:
        self.at += 1
        items: list[Node] = []
        if self.closes("]"):
            return Node(None, mark).fill(items)
        while True:
            items.append(self.node((*path, len(items))))
            if self.closes("]"):
                return Node(None, mark).fill(items)
            self.take(",", "or ]")

    def mapping(self, path: Path, mark: Mark) -> Node:
        self.at += 1
        node = Node(None, mark)
        entries: dict[str, Node] = {}
        marks: dict[str, Mark] = {}
        while not self.closes("}"):
            if entries:
                self.take(",", "or }")
                self.space()
            self.entry(path, entries, marks)
        node.key_marks = marks
        return node.fill(entries)

    def entry(self, path: Path, entries: dict[str, Node], marks: dict[str, Mark]) -> None:
        mark = self.mark()
        if self.text[self.at : self.at + 1] != '"':
            raise self.stop("expected a key in double quotes")
        key = str(self.scalar(path, mark).value)
        self.take(":")
        value = self.node((*path, key))
        if key in entries:
            self.reading.repeated(key, path, mark, marks[key])
        else:
            entries[key], marks[key] = value, mark

    def closes(self, bracket: str) -> bool:
        self.space()
        if self.text[self.at : self.at + 1] != bracket:
            return False
        self.at += 1
        return True

    def take(self, sign: str, other: str = "") -> None:
        self.space()
        if self.text[self.at : self.at + 1] != sign:
            raise self.stop(f"expected {sign}{' ' + other if other else ''}")
        self.at += 1
