"""`reactor explain`: the same for a person and for a program, from a history, a snapshot or nothing."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from commandline import Run

from reactor import Reactor
from reactor.explain import explanation_schema

EVENT = b'{"id": "a", "time": 1700000000, "name": "Ada"}\n'
HISTORY = '{"id": "a", "time": 1699990000, "name": "Bea"}\n'


def test_text(run: Run, config: Path) -> None:
    """Marks, what each leaf reads, what is missing; no line is longer than 80 columns."""
    done = run("explain", config, "--audience", "private", stdin=EVENT)
    assert (done.code, done.err) == (0, "")
    assert "[ ] Hello: `when` is false" in done.out
    assert "to match: views is 1, needs at least 2 (1 more)" in done.out
    assert "new  id 'a'" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    assert "\x1b" not in done.out


def test_json_is_what_the_engine_gives(run: Run, config: Path, tmp_path: Path) -> None:
    """One document a line; warm from a history, and from a snapshot of it, it is the same."""
    history = tmp_path / "history.jsonl"
    history.write_text(HISTORY)
    engine = Reactor.load(config)
    engine.process(json.loads(HISTORY))
    engine.snapshot(tmp_path / "shop.state")
    expected = engine.explain(EVENT, audience="private").json().decode() + "\n"
    for start in (("--events", history), ("--state", tmp_path / "shop.state")):
        done = run("explain", config, "-", *start, "--audience", "private", "--format", "json", stdin=EVENT)
        assert (done.code, done.err, done.out) == (0, "", expected)


def test_one_section_of_a_read(run: Run, config: Path, tmp_path: Path) -> None:
    """`--key` explains a read, `--section` shows one section only, `--now` reads it later."""
    history = tmp_path / "history.jsonl"
    history.write_text(HISTORY)
    done = run(
        "explain", config, "--key", "id=a", "--section", "You", "--events", history, "--now", "2024-01-01"
    )
    assert done.code == 0
    assert "a read, read at 2024-01-01T00:00:00.000Z" in done.out
    assert "[ ] You: another key event" in done.out
    assert "Hello" not in done.out
    document = json.loads(
        run(
            "explain", config, "--key", "id=a", "--section", "You", "--format", "json", "--events", history
        ).out
    )
    assert [section["name"] for section in document["sections"]] == ["You"]


def test_a_bad_line_is_named_and_the_others_are_explained(run: Run, config: Path) -> None:
    """Exit 1, and no value of the line."""
    done = run("explain", config, stdin=b'{"id": "canary"}\n' + EVENT)
    assert done.code == 1
    assert done.err == "error: line 1: time: expected a time, got none, and no `now` was given\n"
    assert "Hello" in done.out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--section", "Helo"), 'the config has no section "Helo" (did you mean "Hello"?)'),
        (("--over", "x.jsonl"), "--over counts over a history: name a --section"),
        (("--key", "id"), "--key: expected NAME=VALUE"),
        (("e.jsonl", "--key", "id=a"), "--key explains a read"),
        (("--batch", "no.csv"), "no.csv: can't be read"),
    ],
)
def test_what_can_not_run(run: Run, config: Path, arguments: tuple[str, ...], reason: str) -> None:
    """Exit 2, with what to do instead."""
    done = run("explain", config, *arguments, stdin=b"")
    assert done.code == 2
    assert reason in done.err


def test_funnel(run: Run, config: Path, tmp_path: Path) -> None:
    """`--over` counts a section over a history, leaf by leaf."""
    history = tmp_path / "history.jsonl"
    history.write_text("".join(f'{{"id": "{n % 3}", "time": {1699990000 + n}}}\n' for n in range(9)))
    done = run("explain", config, "--section", "Hello", "--over", history)
    assert done.code == 0
    assert done.out.startswith("Hello: 9 events of view, 6 offered\n")
    assert "+3  with views >= 1  (by 1)" in done.out
    document = json.loads(
        run("explain", config, "--section", "Hello", "--over", history, "--format", "json").out
    )
    assert document["leaves"][0]["alone"] == 3


def test_the_schema_describes_every_explanation(run: Run, config: Path) -> None:
    """What `reactor schema explain` prints is the schema, and explanations are what it says."""
    schema = json.loads(run("schema", "explain").out)
    assert schema == explanation_schema()
    engine = Reactor.load(config)
    for why in (
        engine.explain(EVENT),
        engine.explain(EVENT, audience="private"),
        engine.explain(keys={"id": "a"}),
    ):
        check(msgspec.json.decode(why.json()), schema, schema["$defs"])


def check(
    value: object, schema: dict[str, object], shapes: dict[str, dict[str, object]], path: str = "$"
) -> None:
    """Assert that a value is what a schema says; enough of JSON Schema for this one."""
    if "$ref" in schema:
        schema = shapes[str(schema["$ref"]).rpartition("/")[2]]
    if "anyOf" in schema:
        assert any(passes(value, each, shapes) for each in schema["anyOf"]), path  # type: ignore[attr-defined]
        return
    if "enum" in schema:
        assert value in schema["enum"], path  # type: ignore[operator]
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
             "boolean": bool, "null": type(None)}  # fmt: skip
    if "type" in schema:
        assert isinstance(value, kinds[str(schema["type"])]), (path, schema["type"])  # type: ignore[arg-type]
    if isinstance(value, list) and "items" in schema:
        for each in value:
            check(each, schema["items"], shapes, f"{path}[]")  # type: ignore[arg-type]
    if isinstance(value, dict) and "properties" in schema:
        properties: dict[str, dict[str, object]] = schema["properties"]  # type: ignore[assignment]
        assert set(value) <= set(properties), path
        assert set(schema.get("required", ())) <= set(value), path  # type: ignore[call-overload]
        for name, each in value.items():
            check(each, properties[name], shapes, f"{path}.{name}")


def passes(value: object, schema: dict[str, object], shapes: dict[str, dict[str, object]]) -> bool:
    """Tell whether a value is what a schema says."""
    try:
        check(value, schema, shapes)
    except AssertionError:
        return False
    return True
