"""What events show about a config: names no event has, filters that nothing passes.

Every filter and pattern is tried on the rows of its table until it matches once; what is
left at the end matched nothing. So a year of events costs little more than the columns'
names, unless something is wrong.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from reactor.cli.console import count_of, progress
from reactor.cli.inputs import Input, parse_inputs, unknown_table
from reactor.criteria import Expression, Ref, walk
from reactor.criteria.tree import Like, Regexp
from reactor.errors import Problem, did_you_mean
from reactor.event import nested
from reactor.frames import BadRow, rows_of
from reactor.identity.validate import KeyRule, Validator
from reactor.spec import (
    Attribute,
    ByKeyEvent,
    Config,
    Counter,
    ListAttribute,
    Path,
    Reading,
    Section,
    Single,
    Table,
    Total,
    Trigger,
    format_path,
    read,
)
from reactor.units import MAX_TIME_MS, parse_time

# Below this many identifiers one large profile says nothing.
FEW_IDENTIFIERS = 20

Event: TypeAlias = Mapping[str, object]
Finding: TypeAlias = tuple[Path, str, str]  # where, what, and a hint


class Probe(msgspec.Struct, eq=False):
    """An expression that some event of `table` should satisfy.

    gate: the filter of the key event it is read for.
    pattern: for a pattern inside a filter, its text.
    """

    path: Path
    table: str
    expression: Expression
    gate: Expression | None
    pattern: str | None = None

    @property
    def name(self) -> tuple[object, ...]:
        """What the config's author wrote in one place, though several key events or tables read it."""
        return self.path, self.expression.text, self.pattern


def problems_with_events(config: Config, file: str, events: Sequence[str]) -> tuple[Problem, ...]:
    """Return warnings about the config, seen on the events of these files.

    events: `FILE` or `TABLE=FILE`.
    Raises CommandError or EventError for files that can't be read.
    """
    evidence = Evidence(config)
    for each in parse_inputs(events, config):
        evidence.add_file(each)
    source = read(file, Reading(file))
    problems = []
    for path, message, hint in evidence.findings():
        line, column = source.locate(path) or (None, None)
        problems.append(Problem(format_path(path), line, column, message, hint, file))
    return tuple(problems)


class Evidence:
    """What the events seen so far have shown."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.columns: dict[str, set[str]] = defaultdict(set)
        self.counts: Tally[str] = Tally()
        self.bad: list[tuple[str, int]] = []
        self.probes = list(_probes(config))
        self.matched: set[tuple[object, ...]] = set()
        self.timed: set[str] = set()
        self.valid_keys: set[str] = set()
        self.present_keys: set[str] = set()
        self.links = Links()
        rules = [KeyRule(key.name, key.valid, key.invalid, key.internal) for key in config.keys]
        self.validator = Validator(rules, config.limits.identifier_bytes)

    def add_file(self, source: Input) -> None:
        """Look at the events of a file."""
        keys = [key.name for key in self.config.keys]
        rows = rows_of(source.file, keys=keys, most_bytes=self.config.limits.event_bytes)
        name = source.table or ""
        table = self.config.tables.get(name, Table(name))
        probes = [probe for probe in self.probes if probe.table == name and probe.name not in self.matched]
        with progress(f"Reading {source.file}") as report:
            for number, row in enumerate(rows.take(range(len(rows)))):
                if isinstance(row, BadRow):
                    self.bad.append((source.file, number))
                else:
                    self.columns[name].update(row)
                    event = Reader(row, table, self.config.limits.value_bytes)
                    self._add(event, probes)
                    if name not in self.timed and _is_time(event.column(table.time)):
                        self.timed.add(name)
                if number % 10_000 == 0:
                    report(number, len(rows))
        self.counts[name] += len(rows)

    def _add(self, event: Reader, probes: list[Probe]) -> None:
        for probe in [probe for probe in probes if _passes(probe, event)]:
            self.matched.add(probe.name)
            probes.remove(probe)
        found = []
        for place, key in enumerate(self.config.keys):
            value = None if key.internal else event.column(key.name)
            if value is None:
                continue
            self.present_keys.add(key.name)
            if self.validator.reason(place, value) is None:
                self.valid_keys.add(key.name)
                found.append((key.name, str(value)))
        self.links.join(found)

    def findings(self) -> Iterator[Finding]:
        """Yield (path, message, hint)."""
        yield from self._tables()
        yield from self._names()
        yield from self._unmatched()
        yield from self._identities()

    def _tables(self) -> Iterator[Finding]:
        for table in self.counts:
            remark = unknown_table(table, self.config)
            if remark:
                yield ("tables",), remark, ""
        for file in dict.fromkeys(file for file, _ in self.bad):
            numbers = [number for other, number in self.bad if other == file]
            shown = ", ".join(map(str, numbers[:5])) + (", …" if len(numbers) > 5 else "")
            yield ("tables",), f"{file}: not an event in {count_of(len(numbers), 'row')}: {shown}", ""

    def _names(self) -> Iterator[Finding]:
        for table, uses in _columns_used(self.config).items():
            if not self.counts[table]:
                continue
            seen = self.columns[table]
            for column, path in uses.items():
                if column not in seen:
                    hint = did_you_mean(column, seen)
                    yield path, f'no event of {table} has a column "{column}"', hint
            time = self.config.tables[table].time
            if table not in self.timed and (time in seen or time in self.config.tables[table].columns):
                expected = "expected epoch seconds or ISO 8601 text"
                yield ("tables", table, "time"), f'no event of {table} has a time in "{time}": {expected}', ""
        everywhere = set[str]().union(*self.columns.values())
        made = {name for table in self.config.tables.values() for name in table.columns}
        for key in self.config.keys:
            if self.counts and not key.internal and key.name not in everywhere | made:
                hint = did_you_mean(key.name, everywhere)
                yield ("identity", "keys", key.name), f'no event has a column "{key.name}"', hint

    def _unmatched(self) -> Iterator[Finding]:
        left = {
            probe.name: probe
            for probe in self.probes
            if self.counts[probe.table] and probe.name not in self.matched
        }
        silent = {id(probe.expression) for probe in left.values()}
        for probe in left.values():
            if probe.pattern is not None:
                yield probe.path, f"the pattern '{probe.pattern}' matches no event of {probe.table}", ""
            elif id(probe.gate) not in silent:  # else it says no more than its key event
                yield probe.path, f"no event of {probe.table} passes this filter", ""

    def _identities(self) -> Iterator[Finding]:
        for key in self.config.keys:
            if key.name in self.present_keys - self.valid_keys:
                path = ("identity", "keys", key.name)
                yield path, "no value in these events is valid for this key", ""
        total, largest = self.links.sizes()
        if total >= FEW_IDENTIFIERS and largest * 2 > total:
            message = f"one profile holds {largest:,} of {total:,} identifiers"
            yield ("identity", "keys"), message, "is a shared value missing in `invalid`?"


class Reader:
    """Reads names of one event; made columns are made when they are first asked for."""

    def __init__(self, event: Event, table: Table, text_bytes: int) -> None:
        self.event = event
        self.table = table
        self.text_bytes = text_bytes
        self.made: dict[str, object] = {}

    def __call__(self, ref: Ref) -> object:
        if ref.path or ref.name not in self.table.columns:
            return nested(self.event.get(ref.name), ref.path, self.text_bytes)
        return self.column(ref.name)

    def column(self, name: str) -> object:
        """Return a column's value, made or not; None where it is absent."""
        if name not in self.table.columns:
            return self.event.get(name)
        if name not in self.made:
            self.made[name] = walk(self.table.columns[name], self._own)
        return self.made[name]

    def _own(self, ref: Ref) -> object:
        return nested(self.event.get(ref.name), ref.path, self.text_bytes)


class Links:
    """Which identifiers are joined: a disjoint-set forest with path halving."""

    def __init__(self) -> None:
        self.parents: dict[tuple[str, str], tuple[str, str]] = {}

    def join(self, identifiers: Sequence[tuple[str, str]]) -> None:
        """Join identifiers that were seen together.

        >>> links = Links()
        >>> links.join([("email", "a"), ("id", "1")]); links.join([("id", "1"), ("id", "2")])
        >>> links.sizes()
        (3, 3)
        """
        roots = {self._root(identifier) for identifier in identifiers}
        if len(roots) > 1:
            first = min(roots)
            for root in roots:
                self.parents[root] = first

    def _root(self, identifier: tuple[str, str]) -> tuple[str, str]:
        parents = self.parents
        parents.setdefault(identifier, identifier)
        while parents[identifier] != identifier:
            parents[identifier] = identifier = parents[parents[identifier]]
        return identifier

    def sizes(self) -> tuple[int, int]:
        """Return the number of identifiers, and how many the largest profile holds."""
        sizes = Tally(map(self._root, list(self.parents)))
        return sizes.total(), max(sizes.values(), default=0)


def _is_time(value: object) -> bool:
    time_ms = parse_time(value)
    return time_ms is not None and 0 <= time_ms <= MAX_TIME_MS


def _passes(probe: Probe, read: Callable[[Ref], object]) -> bool:
    if probe.gate is not None and walk(probe.gate, read) is not True:
        return False
    return walk(probe.expression, read) is True


def _filters(config: Config) -> Iterator[tuple[Path, str, Expression, Expression | None]]:
    """Yield (path, table, filter, the key event's own filter) of all filters over events."""
    events = config.key_events
    for event in events.values():
        if event.where is not None:
            yield ("key_events", event.name, "where"), event.table, event.where, None
    path: Path
    for name, attribute in config.attributes.items():
        for place, triggers in _triggers(attribute).items():
            for trigger in triggers:
                if trigger.where is not None:
                    event = events[trigger.key_event]
                    path = ("attributes", name, place, event.name)
                    yield path, event.table, trigger.where, event.where
    for section in config.sections:
        path = ("personalizations", section.personalization, "sections", section.name, "where")
        for name, where in section.where.items():
            if name:
                yield path, events[name].table, where, events[name].where
            else:
                yield from ((path, table, where, None) for table in config.tables)


def _triggers(attribute: Attribute) -> Mapping[str, tuple[Trigger, ...]]:
    match attribute:
        case ListAttribute():
            return {"on": attribute.on, "delete_on": attribute.delete_on, "clear_on": attribute.clear_on}
        case Single() | Counter() | Total():
            return {"on": attribute.on}
        case _:
            return {}


def _probes(config: Config) -> Iterator[Probe]:
    for path, table, expression, gate in _filters(config):
        yield Probe(path, table, expression, gate)
        patterns = [node for node in _nodes(expression.root) if isinstance(node, Regexp | Like)]
        if len(patterns) > 1 or (patterns and expression.root is not patterns[0]):
            for node in patterns:
                alone = msgspec.structs.replace(expression, root=node)
                yield Probe(path, table, alone, None, node.pattern)


def _nodes(node: object) -> Iterator[object]:
    if isinstance(node, tuple):
        for item in node:
            yield from _nodes(item)
    elif isinstance(node, msgspec.Struct):
        yield node
        for field in node.__struct_fields__:
            yield from _nodes(getattr(node, field))


def _columns_used(config: Config) -> dict[str, dict[str, Path]]:
    """Return the columns that the config reads, by table, each with the first place that reads it."""
    used: dict[str, dict[str, Path]] = {table: {} for table in config.tables}
    for name, table in config.tables.items():
        for column, expression in table.columns.items():
            _note(used[name], expression, ("tables", name, "columns", column))
        if table.time not in table.columns:
            used[name].setdefault(table.time, ("tables", name, "time"))
    for name, path, expression in _expressions(config):
        # A made column hides the event's own, but in the expression that makes it.
        _note(used[name], expression, path, hidden=config.tables[name].columns)
    return used


def _note(used: dict[str, Path], expression: Expression, path: Path, hidden: Collection[str] = ()) -> None:
    for ref in expression.refs:
        if ref.kind == "column" and ref.name not in hidden:
            used.setdefault(ref.name, path)


def _expressions(config: Config) -> Iterator[tuple[str, Path, Expression]]:
    """Yield (table, path, expression) of all that is read of events, but for made columns."""
    for path, table, expression, _ in _filters(config):
        yield table, path, expression
    for name, attribute in config.attributes.items():
        for field, by_event in _values(attribute):
            for event, expression in by_event.items():
                yield config.key_events[event].table, ("attributes", name, *field), expression
    for section in config.sections:
        tables = {config.key_events[name].table for name in section.on or ()} or set(config.tables)
        if len(tables) == 1:  # else a column may come with any of them
            place = ("personalizations", section.personalization, "sections", section.name)
            yield from ((table, *each) for table in tables for each in _section_values(section, place))


def _section_values(section: Section, place: Path) -> Iterator[tuple[Path, Expression]]:
    if section.when is not None:
        yield (*place, "when"), section.when
    for output, expression in section.attributes.items():
        yield (*place, "payload", "attributes", output), expression


def _values(attribute: Attribute) -> Iterator[tuple[tuple[str, ...], ByKeyEvent]]:
    """Yield (where below the attribute, its expression by key event)."""
    match attribute:
        case Single():
            yield ("value",), attribute.value
        case ListAttribute():
            yield ("item",), attribute.item
            for name, by_event in attribute.fields.items():
                yield ("fields", name), by_event
        case Counter() | Total():
            yield ("increment",), attribute.increment or {}
