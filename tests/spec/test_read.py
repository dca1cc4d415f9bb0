"""Sources to nodes: the YAML core schema, places, repeated keys, and what is too big."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reactor.errors import ConfigError
from reactor.spec import Node, Reading, format_path, load_config, read
from reactor.spec.read import read_toml
from reactor.spec.read_json import read_json
from reactor.spec.read_yaml import read_yaml

Read = Callable[[str, Reading], Node]


def plain(node: Node) -> object:
    """Return a node's value without its places."""
    if isinstance(node.value, dict):
        return {name: plain(child) for name, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value


def problem_of(language: Read, text: str) -> str:
    """Return the problems of a text."""
    reading = Reading("f")
    with pytest.raises(ConfigError) as caught:
        language(text, reading)
    assert caught.value.__context__ is None
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("NO", "NO"),
        ("yes", "yes"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-07", -7),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-.inf", float("-inf")),
        ("2025-06-01", "2025-06-01"),
        ("2025-06-01T10:00:00Z", "2025-06-01T10:00:00Z"),
        ("'12'", "12"),
        ('"a\\u00e9"', "aé"),
        ("!!str 12", "12"),
        ("!!float 1", 1.0),
        ("! 12", "12"),
        ("|\n  a\n  b\n", "a\nb\n"),
        (">-\n  a\n  b\n", "a b"),
        ("<<", "<<"),
    ],
)
def test_yaml_core_schema(text: str, value: object) -> None:
    """Only `true` and `false` are booleans, and times stay text."""
    node = read_yaml(f"key: {text}", Reading(None)).child("key")
    assert node is not None
    assert node.value == value
    assert type(node.value) is type(value)


def test_yaml_keys_are_text() -> None:
    """`on`, `no` and a date as a key are what they look like."""
    assert plain(read_yaml("{on: 1, NO: 2, 2025-01-01: 3, '': 4}", Reading(None))) == {
        "on": 1,
        "NO": 2,
        "2025-01-01": 3,
        "": 4,
    }


def test_yaml_anchors_and_merges() -> None:
    """An alias is the value again; `<<` fills in what a mapping does not say itself."""
    text = "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nm: {<<: [*x, *y], a: 5}\nn: {a: 6, <<: *x}\no: [*x]\n"
    assert plain(read_yaml(text, Reading(None))) == {
        "x": {"a": 1, "b": 2},
        "y": {"b": 3, "c": 4},
        "m": {"a": 5, "b": 2, "c": 4},
        "n": {"a": 6, "b": 2},
        "o": [{"a": 1, "b": 2}],
    }


@pytest.mark.parametrize("language", [read_yaml, read_json])
def test_places(language: Read) -> None:
    """Every value and every key has its line and column, from 1."""
    root = language('{"a": 1,\n "b": [true,\n   {"é": "x"}]}', Reading(None))
    assert plain(root) == {"a": 1, "b": [True, {"é": "x"}]}
    assert root.locate(()) == (1, 1)
    assert root.locate(("a",)) == (1, 7)
    assert root.locate(("a",), key=True) == (1, 2)
    assert root.locate(("b", 1, "é")) == (3, 10)
    assert root.locate(("b", 1, "é"), key=True) == (3, 5)
    # What is not there is looked for around it.
    assert root.locate(("b", 1, "z", "y")) == (3, 4)
    assert root.locate(("z",), key=True) == (1, 1)
    assert root.find(("b", 0, "a")) is None


@pytest.mark.parametrize("language", [read_yaml, read_json])
def test_repeated_keys(language: Read) -> None:
    """The first counts, and each other one is a problem."""
    reading = Reading("f")
    root = language('{"a": 1,\n "a": 2, "b": {"c": 1, "c": 2}}', reading)
    assert plain(root) == {"a": 1, "b": {"c": 1}}
    assert [str(problem) for problem in reading.problems] == [
        'f:2:2: a: the key "a" is given twice (the first is in line 1)',
        'f:2:24: b.c: the key "c" is given twice (the first is in line 2)',
    ]


def test_json_is_json() -> None:
    """Whatever the standard library writes is read back; what is only nearly JSON is not."""
    value = {"a": [1, -2.5e3, True, False, None, '\n\t"\\/é😀'], "b": {}, "c": [], "d": 10**18}
    for text in (json.dumps(value), json.dumps(value, indent=2, ensure_ascii=False)):
        assert plain(read_json(text, Reading(None))) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "f:1:1: $: not readable as JSON: expected a value in JSON's notation, got the end of the file"),
        ("{", "f:1:2: $: not readable as JSON: expected a key in double quotes, got the end of the file"),
        ("{'a': 1}", 'f:1:2: $: not readable as JSON: expected a key in double quotes, got "\'"'),
        ('{"a" 1}', "f:1:6: $: not readable as JSON: expected :, got '1'"),
        ('{"a": 1,}', "f:1:9: $: not readable as JSON: expected a key in double quotes, got '}'"),
        ('{"a": 1 "b"}', "f:1:9: $: not readable as JSON: expected , or }, got '\"'"),
        ("[1\n 2]", "f:2:2: $: not readable as JSON: expected , or ], got '2'"),
        ("[1,]", "f:1:4: $: not readable as JSON: expected a value in JSON's notation, got ']'"),
        ("[NaN]", "f:1:2: $: not readable as JSON: expected a value in JSON's notation, got 'N'"),
        ("01", "f:1:2: $: not readable as JSON: expected the end of the file, got '1'"),
        ('"\\ud8"', "f:1:1: $: not readable as JSON: expected a value in JSON's notation, got '\"'"),
        ("# no", "f:1:1: $: not readable as JSON: expected a value in JSON's notation, got '#'"),
    ],
)
def test_json_syntax(text: str, problem: str) -> None:
    """What is no JSON is refused, at its place."""
    assert problem_of(read_json, text) == problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a = ", "f:1:5: $: not readable as TOML: invalid value"),
        ("a = 1\na = 2", "f:2:6: $: not readable as TOML: cannot overwrite a value"),
        ("[t\n", "f:1:3: $: not readable as TOML: expected ']' at the end of a table declaration"),
        ("a = '''", "f:1:8: $: not readable as TOML: expected \"'''\""),
        (f"a = {'[' * 5000}", "f: $: not readable as TOML: nested too deep"),
        (f"a = {'9' * 5000}", "f: $: not readable as TOML: a number or a time is out of range"),
    ],
)
def test_toml_syntax(text: str, problem: str) -> None:
    """TOML carries no places, but for what is wrong with its syntax."""
    assert problem_of(read_toml, text) == problem


def test_toml_times_need_quotes(tmp_path: Path) -> None:
    """TOML has times of its own; a config has text."""
    path = tmp_path / "c.toml"
    path.write_text("version = 1\nname = 2025-01-01\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert [(problem.path, problem.message, problem.hint) for problem in caught.value.problems] == [
        (
            "name",
            "expected text, a number, true, false, a list or a mapping, got a Python date",
            "quote it: a time is text",
        )
    ]


def bomb() -> str:
    """Return ten aliases of ten aliases, ten deep."""
    lines = ["a0: &a0 [" + "x, " * 10 + "]"]
    lines += [f"a{n}: &a{n} [" + f"*a{n - 1}, " * 10 + "]" for n in range(1, 10)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("language", "text", "problem"),
    [
        (read_yaml, bomb(), "expected at most 200,000 values in a config, got more"),
        (read_yaml, "[" * 200, "expected at most 64 levels, got more"),
        (read_yaml, "&a [*a, " + "[" * 200, "expected at most 64 levels, got more"),
        (read_json, "[" * 100_000, "expected at most 64 levels, got more"),
        (read_json, '{"a":' * 100_000, "expected at most 64 levels, got more"),
        (read_json, "[" + "1," * 200_001, "expected at most 200,000 values in a config, got more"),
    ],
    ids=["bomb", "deep yaml", "deep alias", "deep json", "deep objects", "wide json"],
)
def test_what_is_too_big(language: Read, text: str, problem: str) -> None:
    """Size and depth are bounded before anything is built of them."""
    assert problem in problem_of(language, text)


def test_deep_aliases_count_their_depth() -> None:
    """A chain of aliases is as deep as what it says."""
    lines = ["a0: &a0 [1]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 100)]
    assert "expected at most 64 levels, got more" in problem_of(read_yaml, "\n".join(lines))


def test_a_mapping_that_holds_itself() -> None:
    """A loop of Python values ends at the same depth."""
    source: dict[str, object] = {"version": 1}
    source["x-self"] = source
    with pytest.raises(ConfigError, match="expected at most 64 levels, got more"):
        load_config(source)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (None, "$: the file can't be read: no such file or directory"),
        (b"name: \xff", "1:1: $: expected a file in UTF-8, got a byte that is not"),
        ("version: 1".encode("utf-16"), "1:1: $: expected a file in UTF-8, got a byte that is not"),
        (
            b"a: \x01",
            "$: not readable as YAML: unacceptable character #x0001: special characters are not allowed",
        ),
        (b"\xef\xbb\xbfname: a", '1:1: $: missing "version": expected 1'),
    ],
)
def test_files(data: bytes | None, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is not there, or not text, is a problem like any other; a BOM is none."""
    monkeypatch.chdir(tmp_path)
    if data is not None:
        Path("c.yaml").write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load_config("c.yaml")
    place = "" if problem.startswith("$") else ":"
    assert str(caught.value) == f"c.yaml{place or ': '}{problem}"
    assert caught.value.__context__ is None


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """The system's own words say what is the matter."""
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path)
    assert caught.value.problems[0].message == "the file can't be read: is a directory"


def test_what_a_file_is_read_as(tmp_path: Path) -> None:
    """The ending says the language, and YAML is the default."""
    for ending, text in {
        ".yaml": "{version: 1}",
        ".YML": "version: 1",
        ".toml": "version = 1",
        ".json": '{"version": 1}',
        ".conf": "version: 1",
    }.items():
        path = tmp_path / f"c{ending}"
        path.write_text(text)
        assert plain(read(path, Reading(str(path)))) == {"version": 1}


def test_paths() -> None:
    """A path is written so that one can see where a name begins and ends."""
    assert format_path(("tables", "web.orders", "columns", "a b", 'x"y', 0)) == (
        'tables["web.orders"].columns["a b"]["x\\"y"][0]'
    )
