"""The JSON Schema: it is of the language that is read, and says what everything is for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reactor.spec import Node, Reading, config_schema, raw, read

HERE = Path(__file__).parent
EXAMPLES = [
    HERE / "configs" / "retail.yaml",
    *(path for path in sorted((HERE.parent / "examples").glob("*.yaml")) if ".test." not in path.name),
]
SCHEMA = config_schema()


def plain(node: Node) -> Any:
    """Return a node's value without its places."""
    if isinstance(node.value, dict):
        return {name: plain(child) for name, child in node.value.items()}
    return [plain(child) for child in node.value] if isinstance(node.value, list) else node.value


def faults(value: Any, schema: dict[str, Any], path: str = "$") -> Iterator[str]:
    """Check a value by the few words of JSON Schema that the schema uses."""
    if "$ref" in schema:
        yield from faults(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], path)
    if "anyOf" in schema and all(
        any(True for _ in faults(value, option, path)) for option in schema["anyOf"]
    ):
        yield f"{path}: none of anyOf"
    if "oneOf" in schema and sum(not [*faults(value, option, path)] for option in schema["oneOf"]) != 1:
        yield f"{path}: not one of oneOf"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: not in enum"
    kinds: dict[str, Any] = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "null": type(None),
    }
    kind = schema.get("type")
    if kind in kinds and (
        not isinstance(value, kinds[kind]) or (isinstance(value, bool) and kind != "boolean")
    ):
        yield f"{path}: not {kind}"
    if kind == "array" or kind == "object":
        yield from inner_faults(value, schema, path)
    if isinstance(value, dict):
        yield from (f"{path}: no {name}" for name in schema.get("required", []) if name not in value)


def inner_faults(value: Any, schema: dict[str, Any], path: str) -> Iterator[str]:
    """Check what an array or an object holds."""
    if schema["type"] == "array":
        if not isinstance(value, list):
            yield f"{path}: no array"
            return
        for at, item in enumerate(value):
            yield from faults(item, schema.get("items", {}), f"{path}[{at}]")
        return
    if not isinstance(value, dict):
        yield f"{path}: no object"
        return
    for name, item in value.items():
        inner = schema.get("properties", {}).get(name, schema.get("additionalProperties", {}))
        if inner is False and not name.startswith("x-"):
            yield f"{path}.{name}: unknown"
        elif isinstance(inner, dict):
            yield from faults(item, inner, f"{path}.{name}")


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_examples_are_valid(path: Path) -> None:
    """The configs that load are valid, by the schema and by the model itself."""
    value = plain(read(path, Reading(None)))
    assert list(faults(value, SCHEMA)) == []
    converted = msgspec.convert(value, raw.Config)
    assert msgspec.convert(msgspec.to_builtins(converted), raw.Config) == converted


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"version": 2},
        {"version": 1, "unknown": 1},
        {"version": 1, "key_events": {"a": 1}},
        {"version": 1, "attributes": {"a": {"type": "single"}}},
        {"version": 1, "attributes": {"a": {"type": "other"}}},
        {
            "version": 1,
            "attributes": {
                "a": {"type": "list", "on": "v", "item": "x", "aggregations": {"z": {"sensitive": True}}}
            },
        },
    ],
)
def test_wrong_configs_are_not_valid(value: dict[str, object]) -> None:
    """The schema finds what has a wrong shape."""
    assert list(faults(value, SCHEMA))


def test_the_schema_is_json_and_names_its_dialect() -> None:
    """It can be written out, and editors know what to do with it."""
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["$defs"]["Config"]["patternProperties"] == {"^x-": {}}


def test_everything_is_described() -> None:
    """Each struct says what it is, each named thing may have a description."""
    for name, definition in SCHEMA["$defs"].items():
        assert definition["description"], name
        if name not in ("Limits",):
            assert "description" in definition["properties"], name
