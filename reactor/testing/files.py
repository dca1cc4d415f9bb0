"""Test files: what a config must answer, step by step, and how its answers differ.

    config: retail.yaml
    tests:
      a first order is welcomed:
        - event: {CustomerID: "17850", InvoiceDate: "2011-03-01 10:00:00"}
          offers: {Welcome: {attributes: {message: Welcome}}}

`read_tests` reads such a file and refuses what it does not know; `run_test` runs one of its
tests on a new engine and returns the differences.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias, cast

import msgspec

from reactor.engine import Reactor
from reactor.errors import ConfigError, Problem, ReactorError, did_you_mean
from reactor.payload import Audience
from reactor.spec import Config, Node, Reading, read
from reactor.spec import Path as Place
from reactor.spec.node import describe

Object: TypeAlias = Mapping[str, object]

FILE_KEYS: Final = ("config", "tests")
EVENT_KEYS: Final = ("event", "json", "table", "now", "audience", "offers")
OFFER_KEYS: Final = ("attributes", "batch_segments")


class TestFileError(ReactorError, ValueError):
    """A test file can't be run. `problems` lists everything that is wrong with it."""

    __test__ = False  # pytest: this is no test

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class BatchStep(msgspec.Struct, frozen=True):
    """Rows for `import_batch`, replacing the table."""

    line: int
    rows: list[Object]


class EventStep(msgspec.Struct, frozen=True):
    """An event, as a mapping or a raw body, and the offers it must be answered with; None: any."""

    line: int
    event: Object | str
    table: str | None
    now: str | float | None
    audience: Audience
    offers: Mapping[str, Object] | None


class FileTest(msgspec.Struct, frozen=True):
    """One test of a file: its steps run in order, on a new engine without a clock."""

    name: str
    line: int
    steps: tuple[BatchStep | EventStep, ...]


class TestFile(msgspec.Struct, frozen=True):
    """A file of tests for one config; `config` is its path, found from the file's folder."""

    __test__ = False

    path: str
    config: str
    tests: tuple[FileTest, ...]


class Difference(msgspec.Struct, frozen=True):
    """One way in which an answer is not what was expected.

    step: from 1.
    section: None where the step itself was refused.
    where: the first place inside the offer that differs, as `attributes.spend`; "" for all of it.
    expected, got: JSON text, or words where there is no offer.
    why: lines that explain the answer: why the section is offered or not, or what the event changed.
    """

    line: int
    step: int
    section: str | None
    where: str
    expected: str
    got: str
    why: tuple[str, ...] = ()


def read_tests(path: str | Path) -> TestFile:
    """Read a test file by the rules of a config. Raises TestFileError with all that is wrong with it."""
    reading = Reading(str(path))
    try:
        root = read(path, reading)
    except ConfigError as error:
        problems = error.problems
    else:
        file = _Reader(reading).file(root, Path(path))
        if not reading.problems:
            return file
        problems = tuple(reading.problems)
    raise TestFileError(problems)


class _Reader:
    """Makes a test file of nodes, and notes what is wrong with them."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    def file(self, root: Node, path: Path) -> TestFile:
        entries = self.mapping(root, (), FILE_KEYS)
        for key in FILE_KEYS:
            if key not in entries:
                self.reading.fault((key,), root.mark, "expected this key, got none")
        config = self.text(entries.get("config"), ("config",)) or ""
        tests = self.mapping(entries.get("tests"), ("tests",)).items()
        return TestFile(
            path=str(path),
            config=str(path.parent / config),
            tests=tuple(self.test(name, node) for name, node in tests),
        )

    def test(self, name: str, node: Node) -> FileTest:
        place: Place = ("tests", name)
        steps = tuple(
            self.step(step, (*place, number))
            for number, step in enumerate(self.items(node, place, "list of steps"))
        )
        return FileTest(name, _line(node), steps)

    def step(self, node: Node, place: Place) -> BatchStep | EventStep:
        if node.child("batch") is not None:
            entries = self.mapping(node, place, ("batch",))
            rows = self.items(entries["batch"], (*place, "batch"), "list of rows")
            return BatchStep(
                _line(node), [self.object(row, (*place, "batch", number)) for number, row in enumerate(rows)]
            )
        entries = self.mapping(node, place, (*EVENT_KEYS, "batch"))
        if isinstance(node.value, dict) and ("event" in entries) == ("json" in entries):
            got = "both" if "event" in entries else "neither"
            self.fault(node, place, f"expected exactly one of `event` and `json`, got {got}")
        return EventStep(
            line=_line(node),
            event=self.event(entries, place),
            table=self.text(entries.get("table"), (*place, "table")),
            now=self.now(entries.get("now"), (*place, "now")),
            audience=self.audience(entries.get("audience"), (*place, "audience")),
            offers=self.offers(entries.get("offers"), (*place, "offers")),
        )

    def event(self, entries: Mapping[str, Node], place: Place) -> Object | str:
        if "json" in entries:
            return self.text(entries["json"], (*place, "json")) or ""
        return self.object(entries["event"], (*place, "event")) if "event" in entries else {}

    def now(self, node: Node | None, place: Place) -> str | float | None:
        if node is None:
            return None
        if isinstance(node.value, str | int | float) and not isinstance(node.value, bool):
            return node.value
        self.fault(node, place, f"expected a time, got {describe(node)}")
        return None

    def audience(self, node: Node | None, place: Place) -> Audience:
        if node is None or node.value in ("public", "private"):
            return "public" if node is None else cast(Audience, node.value)
        self.fault(node, place, f"expected public or private, got {describe(node)}")
        return "public"

    def offers(self, node: Node | None, place: Place) -> Mapping[str, Object] | None:
        if node is None:
            return None
        sections = self.mapping(node, place)
        return {section: self.offer(offer, (*place, section)) for section, offer in sections.items()}

    def offer(self, node: Node, place: Place) -> Object:
        entries = self.mapping(node, place, OFFER_KEYS)
        if not entries:
            return {}
        attributes = (
            self.object(entries["attributes"], (*place, "attributes")) if "attributes" in entries else {}
        )
        segments = _plain(entries["batch_segments"]) if "batch_segments" in entries else None
        return {"attributes": attributes, "batch_segments": segments}

    def mapping(
        self, node: Node | None, place: Place, known: tuple[str, ...] | None = None
    ) -> dict[str, Node]:
        """Return a mapping's entries; if not any key may stand there, without the unknown ones."""
        if node is None:
            return {}
        if not isinstance(node.value, dict):
            self.fault(node, place, f"expected a mapping, got {describe(node)}")
            return {}
        unknown = [key for key in node.value if known is not None and key not in known]
        for key in unknown:
            hint = did_you_mean(key, known or ())
            self.reading.fault((*place, key), node.key_marks.get(key), "expected no such key here", hint)
        return {key: value for key, value in node.value.items() if key not in unknown}

    def items(self, node: Node, place: Place, noun: str) -> list[Node]:
        if isinstance(node.value, list):
            return node.value
        self.fault(node, place, f"expected a {noun}, got {describe(node)}")
        return []

    def object(self, node: Node, place: Place) -> Object:
        return {key: _plain(value) for key, value in self.mapping(node, place).items()}

    def text(self, node: Node | None, place: Place) -> str | None:
        if node is None:
            return None
        if isinstance(node.value, str):
            return node.value
        self.fault(node, place, f"expected text, got {describe(node)}")
        return None

    def fault(self, node: Node, place: Place, message: str) -> None:
        self.reading.fault(place, node.mark, message)


def _line(node: Node) -> int:
    return node.mark[0] if node.mark else 1


def _plain(node: Node) -> object:
    if isinstance(node.value, dict):
        return {key: _plain(value) for key, value in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(value) for value in node.value]
    return node.value


def run_test(test: FileTest, config: Config) -> tuple[Difference, ...]:
    """Run a test on a new engine and return how its answers differ; () if they don't.

    A step that the engine refuses ends the test.
    """
    engine = Reactor(config)
    differences: list[Difference] = []
    for number, step in enumerate(test.steps, 1):
        try:
            found = _run_step(engine, step)
        except ReactorError as error:
            refusal = f"refused: {error}"
        else:
            if found:
                differences.extend(_explained(test, config, number, found))
            continue
        return (*differences, Difference(step.line, number, None, "", "an answer", refusal))
    return tuple(differences)


def _explained(
    test: FileTest, config: Config, number: int, found: list[tuple[str, str, str, str]]
) -> Iterator[Difference]:
    """Yield the differences of a step, explained by a second engine that has not taken it yet."""
    engine = Reactor(config)
    for step in test.steps[: number - 1]:
        _run_step(engine, step)
    step = test.steps[number - 1]
    assert isinstance(step, EventStep)
    why = engine.explain(step.event, step.table, audience="private", now=step.now)
    known = {section.name for section in config.sections}
    for section, where, expected, got in found:
        is_there = "no offer" in (expected, got)
        lines = why.reason(section) if section in known and is_there else why.changed()
        yield Difference(step.line, number, section, where, expected, got, tuple(lines.splitlines()))


def _run_step(engine: Reactor, step: BatchStep | EventStep) -> list[tuple[str, str, str, str]]:
    """Return (section, where, expected, got) of what differs."""
    if isinstance(step, BatchStep):
        engine.import_batch(step.rows)
        return []
    outcome = engine.process(step.event, table=step.table, audience=step.audience, now=step.now)
    if step.offers is None:
        return []
    got = cast(Mapping[str, Object], msgspec.json.decode(outcome.json())["offers"])
    return list(_offer_differences(step.offers, got))


def _offer_differences(
    expected: Mapping[str, Object], got: Mapping[str, Object]
) -> Iterator[tuple[str, str, str, str]]:
    for section in dict.fromkeys((*expected, *got)):
        if section not in got:
            yield section, "", json_text(expected[section]), "no offer"
        elif section not in expected:
            yield section, "", "no offer", json_text(got[section])
        elif (where := first_difference(expected[section], got[section])) is not None:
            yield section, where, json_text(expected[section]), json_text(got[section])


def json_text(value: object) -> str:
    """Write a value as compact JSON."""
    return msgspec.json.encode(value).decode()


def first_difference(expected: object, got: object) -> str | None:
    """Return the place where two JSON values differ first, "" for the whole, None if they don't.

    15 equals 15.0; 1, "1" and true differ; the order of a mapping's keys does not count.

    >>> first_difference({"a": [1, 2.0]}, {"a": [1.0, 2]}) is None
    True
    >>> first_difference({"a": {"b": 1}}, {"a": {"b": True}})
    'a.b'
    """
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        for key in dict.fromkeys((*expected, *got)):
            if key not in expected or key not in got:
                return str(key)
            inside = first_difference(expected[key], got[key])
            if inside is not None:
                return f"{key}.{inside}".rstrip(".")
        return None
    if isinstance(expected, list) and isinstance(got, list):
        return None if len(expected) == len(got) and all(map(_same, expected, got)) else ""
    return None if _kind(expected) == _kind(got) and expected == got else ""


def _same(expected: object, got: object) -> bool:
    return first_difference(expected, got) is None


def _kind(value: object) -> type:
    """Return the JSON type: numbers are one, and booleans are no numbers."""
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)
