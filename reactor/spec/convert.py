"""Nodes to the raw model, entry by entry: a wrong one is reported, left out, and hides no other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, inspect

from reactor.spec.node import Node, Path, describe, quoted
from reactor.spec.report import Report

T = TypeVar("T", bound=msgspec.Struct)

_WORDS: Final[Mapping[type, str]] = {
    inspect.StrType: "text",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.BoolType: "true or false",
    inspect.NoneType: "null",
    inspect.ListType: "a list",
    inspect.DictType: "a mapping",
    inspect.StructType: "a mapping",
}


def convert(node: Node, model: type[T], report: Report) -> T | None:
    """Return the struct that a config's nodes are, or None if the top is no mapping.

    Every wrong entry is reported; it is UNSET in its struct, or missing in its mapping, and then
    noted as broken.
    """
    value = _convert(node, _type_info(model), (), report)
    return value if isinstance(value, model) else None


@cache
def _type_info(model: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(model)


def _convert(node: Node, kind: inspect.Type, path: Path, report: Report) -> Any:
    """Return the node as `kind`, or UNSET when it is not that; it is reported then."""
    extra: Mapping[str, Any] = {}
    if isinstance(kind, inspect.Metadata):
        extra = kind.extra or {}
        kind = kind.type
    options = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    structs = [option for option in options if isinstance(option, inspect.StructType)]
    if len(structs) > 1 and isinstance(node.value, dict):
        return _tagged(node, structs, path, report)
    for option in options:
        if _is(node, option):
            return _container(node, option, path, report)
    _report_mismatch(node, options, extra, path, report)
    return UNSET


def _is(node: Node, kind: inspect.Type) -> bool:
    """Tell whether a node is of a kind, as far as the node itself goes."""
    value = node.value
    if isinstance(kind, inspect.Metadata):
        return _is(node, kind.type)
    if isinstance(kind, inspect.UnionType):
        return any(_is(node, option) for option in kind.types)
    if isinstance(kind, inspect.LiteralType):
        return any(value == known and type(value) is type(known) for known in kind.values)
    if isinstance(kind, inspect.IntType):
        return type(value) is int and _within(value, kind)
    if isinstance(kind, inspect.FloatType):
        return type(value) is float and value - value == 0
    if isinstance(kind, inspect.StructType | inspect.DictType):
        return isinstance(value, dict)
    if isinstance(kind, inspect.ListType):
        return isinstance(value, list)
    if isinstance(kind, inspect.StrType):
        return isinstance(value, str)
    return isinstance(value, bool) if isinstance(kind, inspect.BoolType) else value is None


def _within(value: int, kind: inspect.IntType) -> bool:
    return (kind.ge is None or kind.ge <= value) and (kind.le is None or value <= kind.le)


def _container(node: Node, kind: inspect.Type, path: Path, report: Report) -> Any:
    if isinstance(kind, inspect.Metadata):
        return _convert(node, kind, path, report)
    if isinstance(kind, inspect.StructType):
        return _struct(node, kind, path, report)
    if isinstance(kind, inspect.DictType):
        return _entries(node, kind.value_type, path, report)
    if isinstance(kind, inspect.ListType):
        return _items(node, kind.item_type, path, report)
    return node.value


def _entries(node: Node, kind: inspect.Type, path: Path, report: Report) -> dict[str, Any]:
    assert isinstance(node.value, dict)
    entries = {}
    for name, child in node.value.items():
        value = _convert(child, kind, (*path, name), report)
        if value is UNSET:
            report.break_((*path, name))
        else:
            entries[name] = value
    return entries


def _items(node: Node, kind: inspect.Type, path: Path, report: Report) -> list[Any]:
    assert isinstance(node.value, list)
    items = []
    for at, child in enumerate(node.value):
        value = _convert(child, kind, (*path, at), report)
        if value is UNSET:
            report.break_(path)
        else:
            items.append(value)
    return items


def _tagged(node: Node, kinds: list[inspect.StructType], path: Path, report: Report) -> Any:
    """Convert a mapping whose `type` says which struct it is."""
    tags = {str(kind.tag): kind for kind in kinds}
    tag = node.child("type")
    expected = f"expected one of {', '.join(tags)}"
    if tag is None:
        known = {"type", *(field.encode_name for kind in kinds for field in kind.fields)}
        if other := _misspelt("type", node, known, report):
            _report_unknown(other, ["type"], node, path, report)
        else:
            report.error(path, f'missing "type": {expected}')
    elif not isinstance(tag.value, str) or tag.value not in tags:
        hint = report.hint(tag.value, tags) if isinstance(tag.value, str) else ""
        report.error((*path, "type"), f"{expected}, got {describe(tag)}", hint)
    else:
        return _struct(node, tags[tag.value], path, report)
    return UNSET


def _struct(node: Node, kind: inspect.StructType, path: Path, report: Report) -> Any:
    assert isinstance(node.value, dict)
    fields = {field.encode_name: field for field in kind.fields}
    known = [*fields, kind.tag_field] if kind.tag_field else list(fields)
    values: dict[str, Any] = {}
    for name, child in node.value.items():
        if name in fields:
            values[name] = _convert(child, fields[name].type, (*path, name), report)
        elif name != kind.tag_field and not _is_own(name, path) and not report.says((*path, name)):
            _report_unknown(name, known, node, path, report)
    for name, field in fields.items():
        if field.required and name not in node.value:
            values[name] = UNSET
            if not _misspelt(name, node, set(known), report):
                report.error(path, f"missing {quoted(name)}: expected {_expected_of(field.type)}")
    return kind.cls(**values)


def _is_own(name: str, path: Path) -> bool:
    """Tell whether a key is the author's own: top-level ones that start with `x-` are ignored."""
    return not path and name.startswith("x-")


def _misspelt(name: str, node: Node, known: set[str], report: Report) -> str:
    """Return the unknown key that is the missing one misspelt, or ""."""
    assert isinstance(node.value, dict)
    for other in node.value:
        if other not in known and report.hint(other, known) == f"did you mean {quoted(name)}?":
            return other
    return ""


def _report_unknown(name: str, known: list[str], node: Node, path: Path, report: Report) -> None:
    if report.full:
        return
    hint = report.hint(name, known)
    if not hint and _looks_cut(name, node):
        hint = "SQL with a comma inside { } needs quotes"
    names = f"one of {', '.join(known)}" if len(known) > 1 else known[0]
    report.error((*path, name), f"unknown key {quoted(name)}: expected {names}", hint, key=True)


def _looks_cut(name: str, node: Node) -> bool:
    """Tell whether an unknown key is the rest of an expression, after a comma inside { }."""
    assert isinstance(node.value, dict)
    rest = node.value[name]
    if rest.value is not None:
        return False
    texts = [child.value for child in node.value.values() if isinstance(child.value, str)]
    is_open = any(text.count("(") > text.count(")") for text in texts)
    return is_open or any(sign in name for sign in "()'=<>")


def _report_mismatch(
    node: Node, options: tuple[inspect.Type, ...], extra: Mapping[str, Any], path: Path, report: Report
) -> None:
    expected = extra.get("expected") or _join(_expected_of(option) for option in options)
    if report.says(path):  # as it was read
        return
    got = describe(node)
    if extra.get("private") and isinstance(node.value, int | float):
        got = "true or false" if isinstance(node.value, bool) else "a number"
    report.error(path, f"expected {expected}, got {got}", _quote_hint(node, options, extra, report))


def _quote_hint(
    node: Node, options: tuple[inspect.Type, ...], extra: Mapping[str, Any], report: Report
) -> str:
    value = node.value
    if isinstance(value, int | float) and any(isinstance(option, inspect.StrType) for option in options):
        wants_unit = any(unit in extra.get("expected", "") for unit in ("duration", "size"))
        if not extra.get("private") and not wants_unit:
            text = node.source or str(value).lower()
            return f"quote it: {quoted(text)}"
    if isinstance(value, str):
        unions = [option for option in options if isinstance(option, inspect.LiteralType)]
        literals = [known for union in unions for known in union.values]
        if literals:
            is_number = any(value == str(known) for known in literals if isinstance(known, int))
            return "write it without quotes" if is_number else report.hint(value, map(str, literals))
        if any(isinstance(option, inspect.BoolType) for option in options):
            return "write true or false" if value.lower() in ("yes", "no", "on", "off", "y", "n") else ""
        if node.source is None and any(isinstance(option, inspect.IntType) for option in options):
            return "write it without quotes" if value.isdecimal() else ""
    return ""


def _expected_of(kind: inspect.Type) -> str:
    """Say in words what a type takes."""
    if isinstance(kind, inspect.Metadata):
        extra = kind.extra or {}
        return str(extra.get("expected") or _expected_of(kind.type))
    if isinstance(kind, inspect.UnionType):
        structs = [option for option in kind.types if isinstance(option, inspect.StructType)]
        return "a mapping" if len(structs) == len(kind.types) else _join(map(_expected_of, kind.types))
    if isinstance(kind, inspect.LiteralType):
        return _join(quoted(v) if isinstance(v, str) else str(v) for v in kind.values)
    return _WORDS.get(type(kind), "another value")


def _join(words: Any) -> str:
    """Join alternatives: `a, b or c`, each once.

    >>> _join(["a", "b", "a", "c"])
    'a, b or c'
    """
    distinct = list(dict.fromkeys(words))
    if len(distinct) < 2:
        return "".join(distinct)
    return f"{', '.join(distinct[:-1])} or {distinct[-1]}"
