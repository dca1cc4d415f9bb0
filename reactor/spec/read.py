"""A config's source to nodes: a YAML, TOML or JSON file, or a mapping."""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Final, TypeAlias

from reactor.spec.node import MAX_FILE_BYTES, Leaf, Mark, Node, Path, Reading, quoted
from reactor.spec.read_json import read_json
from reactor.spec.read_yaml import read_yaml

Source: TypeAlias = "str | os.PathLike[str] | Mapping[str, object]"

_ENDINGS: Final = {".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".json": "json"}
_TOML_PLACE = re.compile(r"^(.*?) \(at (?:line (\d+), column (\d+)|end of document)\)$", re.DOTALL)


def read(source: Source, reading: Reading) -> Node:
    """Return the nodes of a config.

    source: the path of a file, whose ending says the language; or a mapping.
    reading: takes the problems that leave the rest readable.
    Raises ConfigError for a source that can't be read at all.
    """
    if isinstance(source, Mapping):
        return _Plain(reading).node(source, ())
    path = FilePath(source)
    text = _file_text(path, reading)
    language = _ENDINGS.get(path.suffix.lower(), "yaml")
    if language == "json":
        return read_json(text, reading)
    return read_toml(text, reading) if language == "toml" else read_yaml(text, reading)


def read_toml(text: str, reading: Reading) -> Node:
    """Return the nodes of a TOML document; they carry no places, only syntax errors do."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
    except RecursionError:
        message = "nested too deep"
    except (ValueError, OverflowError):
        message = "a number or a time is out of range"
    else:
        return _Plain(reading).node(data, ())
    match = _TOML_PLACE.match(message)
    mark: Mark | None = None
    if match is not None:
        message = match[1]
        mark = (int(match[2]), int(match[3])) if match[2] else _end_of(text)
    raise reading.stop((), mark, f"not readable as TOML: {message[:1].lower()}{message[1:]}")


def _end_of(text: str) -> Mark:
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def _file_text(path: FilePath, reading: Reading) -> str:
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_FILE_BYTES else None
    except OSError as error:
        reason = (error.strerror or "can't be opened").lower()
    except ValueError:
        reason = "the path has a NUL"
    else:
        if data is None:
            raise reading.stop((), None, f"expected a file of at most {MAX_FILE_BYTES:,} bytes, got more")
        return _decode(data, reading)
    raise reading.stop((), None, f"the file can't be read: {reason}")


def _decode(data: bytes, reading: Reading) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    raise reading.stop((), (line, 1), "expected a file in UTF-8, got a byte that is not")


class _Plain:
    """Makes nodes of plain Python values, as from a caller or TOML."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.nodes = 0

    def node(self, value: object, path: Path) -> Node:
        self.nodes += 1
        self.reading.check_size(self.nodes, None)
        self.reading.check_depth(path, None)
        if isinstance(value, Mapping):
            return self.mapping(value, path)
        if isinstance(value, list | tuple):
            return Node(None).fill([self.node(item, (*path, at)) for at, item in enumerate(value)])
        return Node(self.leaf(value, path))

    def mapping(self, value: Mapping[object, object], path: Path) -> Node:
        entries: dict[str, Node] = {}
        for key, item in value.items():
            if isinstance(key, str):
                self.reading.check_text(key, path, None)
                entries[str(key)] = self.node(item, (*path, str(key)))
                continue
            hint = f"quote it: {quoted(str(key))}" if type(key) in (int, float, bool) else ""
            self.reading.fault(path, None, f"expected text as a key, got {_kind(key)}", hint)
        return Node(None).fill(entries)

    def leaf(self, value: object, path: Path) -> Leaf:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            self.reading.check_text(value, path, None)
            return str(value)
        if isinstance(value, int):
            return self.whole(value, path)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else str(value)
        hint = "quote it: a time is text" if hasattr(value, "isoformat") else ""
        expected = "expected text, a number, true, false, a list or a mapping"
        self.reading.fault(path, None, f"{expected}, got {_kind(value)}", hint)
        return None

    def whole(self, value: int, path: Path) -> int:
        if value.bit_length() < 64:
            return int(value)
        self.reading.fault(path, None, "expected a whole number within 64 bits, got a greater one")
        return 0


def _kind(value: object) -> str:
    return f"a Python {type(value).__name__}"
