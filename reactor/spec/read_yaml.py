"""YAML to nodes, by the 1.2 core schema: `on` and `NO` are text, and so are times.

Built on the parser's events instead of its loaders, because those drop places, resolve
timestamps, and expand aliases without bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from reactor.errors import ConfigError
from reactor.spec.node import Leaf, Mark, Node, Path, Reading, describe, quoted

_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]{1,30}")
_OCTAL = re.compile(r"0o[0-7]{1,30}")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,30}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,5})?")
_INFINITY = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_NAN = re.compile(r"\.(nan|NaN|NAN)")

_TAG: Final = "tag:yaml.org,2002:"
_TAGGED: Final = {"str": str, "int": int, "float": float, "bool": bool, "null": type(None)}


def read_yaml(text: str, reading: Reading) -> Node:
    """Return the nodes of a YAML document.

    Raises ConfigError for text that is not one YAML document; what can be stepped over,
    such as a repeated key, is noted in `reading`.
    """
    try:
        return _Builder(text, reading).document()
    except ConfigError:
        raise
    except MarkedYAMLError as error:
        fault = _syntax_fault(error)
    except YAMLError as error:
        fault = (None, f"not readable as YAML: {_first_line(error)}", "")
    except (ValueError, IndexError, AttributeError, AssertionError, TypeError, KeyError, RecursionError):
        # The parser leaks its own bugs on some malformed input.
        fault = (None, "not readable as YAML", "")
    mark, message, hint = fault
    raise reading.stop((), mark, message, hint)


def resolve_plain(text: str) -> Leaf:
    """Return what a scalar without quotes means by the core schema.

    >>> [resolve_plain(text) for text in ("NO", "0x1f", "1_000", "2025-01-01", "true", "~", "1e3")]
    ['NO', 31, '1_000', '2025-01-01', True, None, 1000.0]
    """
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    return _number(text)


def _number(text: str) -> Leaf:
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    if match := _INFINITY.fullmatch(text):
        return float(f"{match[1]}inf")
    return float("nan") if _NAN.fullmatch(text) else text


def _syntax_fault(error: MarkedYAMLError) -> tuple[Mark | None, str, str]:
    mark = error.problem_mark or error.context_mark
    problem = str(error.problem or "").replace("'\\x00'", "the end")
    context = f"{error.context}: " if error.context else ""
    hint = ""
    if "mapping values are not allowed" in problem or "expected ',' or '}'" in problem:
        hint = "text with a colon, and SQL with a comma inside { }, needs quotes"
    if "cannot start any token" in problem:
        hint = "indent with spaces; quote text that starts with @, ` or %"
    place = (mark.line + 1, mark.column + 1) if mark is not None else None
    return place, f"not readable as YAML: {context}{problem}", hint


def _first_line(error: YAMLError) -> str:
    first = str(error).strip().partition("\n")[0]
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in first)


class _Builder:
    """Makes nodes of the parser's events, one document's."""

    def __init__(self, text: str, reading: Reading) -> None:
        self.events: Iterator[Any] = iter(YAML(typ="safe", pure=True).parse(text))
        self.reading = reading
        self.anchors: dict[str, Node] = {}
        self.nodes = 0

    def document(self) -> Node:
        root: Node | None = None
        for event in self.events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                if root is not None:
                    raise self.reading.stop((), _mark(event), "expected one YAML document, got another one")
                root = self.node(next(self.events), ())
        return root if root is not None else Node(None, (1, 1))

    def node(self, event: Any, path: Path) -> Node:
        kind = type(event).__name__
        if kind == "AliasEvent":
            return self.alias(event, path)
        self.reading.check_depth(path, _mark(event))
        if kind == "ScalarEvent":
            node = self.scalar(event, path)
        elif kind == "MappingStartEvent":
            node = self.mapping(event, path)
        else:
            node = self.sequence(event, path)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def count(self, nodes: int, event: Any) -> None:
        self.nodes += nodes
        self.reading.check_size(self.nodes, _mark(event))

    def alias(self, event: Any, path: Path) -> Node:
        target = self.anchors.get(event.anchor)
        if target is None:
            self.reading.fault(path, _mark(event), f"no anchor &{event.anchor} stands before this alias")
            return Node(None, _mark(event))
        self.count(target.size, event)
        self.reading.check_depth(path, _mark(event), target.depth)
        return target

    def scalar(self, event: Any, path: Path) -> Node:
        self.count(1, event)
        mark, text = _mark(event), str(event.value)
        self.reading.check_text(text, path, mark)
        if event.tag is None or event.tag == "!":
            if event.implicit[0] and event.tag is None:
                return Node(resolve_plain(text), mark, source=text)
            return Node(text, mark)
        return self.tagged(text, str(event.tag), path, mark)

    def tagged(self, text: str, tag: str, path: Path, mark: Mark) -> Node:
        kind = _TAGGED.get(tag.removeprefix(_TAG)) if tag.startswith(_TAG) else None
        if kind is str:
            return Node(text, mark)
        value = resolve_plain(text)
        if kind is float and type(value) is int:
            value = float(value)
        if kind is None or type(value) is not kind:
            self.reading.fault(path, mark, f"expected a plain value, got the YAML tag {quoted(tag)}")
        return Node(value, mark, source=text)

    def sequence(self, event: Any, path: Path) -> Node:
        self.count(1, event)
        self.check_tag(event, "seq", path)
        node = Node(None, _mark(event))
        items: list[Node] = []
        while type(item := next(self.events)).__name__ != "SequenceEndEvent":
            items.append(self.node(item, (*path, len(items))))
        return node.fill(items)

    def mapping(self, event: Any, path: Path) -> Node:
        self.count(1, event)
        self.check_tag(event, "map", path)
        node = Node(None, _mark(event))
        entries: dict[str, Node] = {}
        marks: dict[str, Mark] = {}
        merged: list[Node] = []
        while type(item := next(self.events)).__name__ != "MappingEndEvent":
            key_mark = _mark(item)
            merges = getattr(item, "value", None) == "<<" and item.implicit[0]
            key = "<<" if merges else self.key(item, path)
            value = self.node(next(self.events), (*path, key))
            if merges:
                merged.extend(self.merged(value, path, key_mark))
            elif key in entries:
                self.reading.repeated(key, path, key_mark, marks[key])
            else:
                entries[key], marks[key] = value, key_mark
        for other in merged:
            _merge(other, entries, marks)
        node.key_marks = marks
        return node.fill(entries)

    def key(self, event: Any, path: Path) -> str:
        """Return a mapping's key as text; note one that is not."""
        mark = _mark(event)
        node = self.node(event, (*path, "?"))
        if isinstance(node.value, str):
            return node.value
        if isinstance(node.value, dict | list):
            hint = "SQL with a comma inside { } needs quotes" if isinstance(node.value, dict) else ""
            self.reading.fault((*path, "?"), mark, f"expected text as a key, got {describe(node)}", hint)
            return "?"
        text = node.source or "null"
        self.reading.fault(
            (*path, text), mark, f"expected text as a key, got {describe(node)}", f"quote it: {quoted(text)}"
        )
        return text

    def merged(self, value: Node, path: Path, mark: Mark) -> list[Node]:
        """Return the mappings that `<<` names, nearest first."""
        parts = value.value if isinstance(value.value, list) else [value]
        if all(isinstance(part.value, dict) for part in parts):
            return parts
        self.reading.fault((*path, "<<"), mark, f"expected an alias of a mapping, got {describe(value)}")
        return []

    def check_tag(self, event: Any, plain: str, path: Path) -> None:
        tag = event.tag
        if tag is not None and tag not in ("!", _TAG + plain):
            message = f"expected a plain value, got the YAML tag {quoted(str(tag))}"
            self.reading.fault(path, _mark(event), message)


def _merge(other: Node, entries: dict[str, Node], marks: dict[str, Mark]) -> None:
    assert isinstance(other.value, dict)
    for key, value in other.value.items():
        if key not in entries:
            entries[key] = value
            if key in other.key_marks:
                marks[key] = other.key_marks[key]


def _mark(event: Any) -> Mark:
    return event.start_mark.line + 1, event.start_mark.column + 1
