"""Batch rows on their way in: what they carry, who they belong to, and who they wait for.

A row is found by its lookup value. Its columns named like stitching keys are identifiers of
its profile, whatever time the row is valid from: where a profile holds one of them, all are
joined at once; else the row waits, and joins when an event brings one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

import msgspec

from reactor.attributes.imported import ALWAYS, BatchRow
from reactor.attributes.kind import to_dtype
from reactor.errors import EventError
from reactor.event import kind_of, time_between
from reactor.identity import Identifier
from reactor.plan.layout import Layout
from reactor.spec.model import Imported
from reactor.values import as_text, is_missing, usable

SEGMENTS = "segments"
TIME = "time"


class BatchReport(msgspec.Struct, frozen=True):
    """What a load did.

    rows: rows loaded; refused: rows left out, for want of a usable lookup value or time.
    matched, waiting: loaded rows whose profile is known, and the others.
    unusable: column → values that can't be used, which are NULL now.
    missing: columns of imported attributes that no row has; ignored: columns nothing uses.
    undated: loaded rows without a time, whose values hold at any time.
    """

    rows: int
    refused: int
    matched: int
    waiting: int
    unusable: Mapping[str, int]
    missing: tuple[str, ...]
    ignored: tuple[str, ...]
    undated: int


class Row(msgspec.Struct, frozen=True):
    """A batch row, read: its lookup value, the time it is valid from, its values, its identifiers."""

    lookup: str
    time_ms: int
    values: BatchRow
    identifiers: tuple[Identifier, ...]


class BatchReader:
    """Reads rows, and counts what is wrong with them.

    valid: tells why a value can't be an identifier of a key, or None.
    """

    def __init__(self, layout: Layout, valid: Callable[[int, object], str | None]) -> None:
        config = layout.config
        if config.lookup_key is None:
            raise EventError(
                "identity.lookup_key", "expected a lookup key in the config, got none: rows can't be joined"
            )
        self._valid = valid
        self._keys = [key.name for key in config.keys]
        self._lookup = config.lookup_key
        self._imported = [each for each in config.attributes.values() if isinstance(each, Imported)]
        self._text_bytes = config.limits.value_bytes
        self._used = {each.column for each in self._imported} | {*self._keys, SEGMENTS, TIME}
        self._seen: set[str] = set()
        self.unusable: dict[str, int] = {}
        self.refused = 0

    def read(self, rows: object) -> list[Row]:
        """Return the usable rows. Raises EventError where `rows` holds no rows at all."""
        table, is_typed = _rows_of(rows)
        found = []
        for number, row in enumerate(table):
            if not isinstance(row, Mapping):
                raise EventError(f"rows[{number}]", f"expected a mapping, got {kind_of(row)}")
            read = self._read_row(row, is_typed)
            if read is None:
                self.refused += 1
            else:
                found.append(read)
        return found

    def report(self, rows: list[Row], matched: int) -> BatchReport:
        """Return what the load of `rows` came to."""
        columns = {each.column for each in self._imported}
        return BatchReport(
            rows=len(rows),
            refused=self.refused,
            matched=matched,
            waiting=len(rows) - matched,
            unusable=self.unusable,
            missing=tuple(sorted(columns - self._seen)) if rows else (),
            ignored=tuple(sorted(self._seen - self._used)),
            undated=sum(row.time_ms == ALWAYS for row in rows),
        )

    def _count(self, column: str) -> None:
        self.unusable[column] = self.unusable.get(column, 0) + 1

    def _read_row(self, row: Mapping[str, Any], is_typed: bool) -> Row | None:
        self._seen.update(name for name in row if isinstance(name, str))
        identifiers = []
        lookup = None
        for k, name in enumerate(self._keys):
            value = self._identifier(k, name, row.get(name), is_typed)
            if value is not None:
                identifiers.append((k, value))
                if name == self._lookup:
                    lookup = value
        time_ms = self._time(row.get(TIME))
        if lookup is None or time_ms is None:
            return None
        values = (*(self._value(each, row.get(each.column)) for each in self._imported), self._segments(row))
        return Row(lookup, time_ms, values, tuple(identifiers))

    def _identifier(self, k: int, name: str, value: object, is_typed: bool) -> str | None:
        if is_missing(value) or value == "":
            return None
        if is_typed and isinstance(value, float):
            hint = "a whole-number column with gaps becomes one: make it text first"
            raise EventError(
                name, f"expected text or whole numbers as identifiers, got a float column ({hint})"
            )
        if is_typed and isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if self._valid(k, value) is not None:
            self._count(name)
            return None
        return cast(str, value)

    def _time(self, value: object) -> int | None:
        if is_missing(value) or value == "":
            return ALWAYS
        try:
            return time_between(value, TIME)
        except EventError:
            self._count(TIME)
            return None

    def _value(self, attribute: Imported, value: object) -> object:
        if is_missing(value):
            return None
        if attribute.dtype == "timestamp" and hasattr(value, "toordinal"):
            raw: object = value  # a date or datetime of Python, which no event carries
        else:
            raw = usable(value, self._text_bytes)
        read = None if raw is None else to_dtype(raw, attribute.dtype, self._text_bytes)
        if read is None:
            self._count(attribute.column)
        return read

    def _segments(self, row: Mapping[str, Any]) -> frozenset[str]:
        value = row.get(SEGMENTS)
        if isinstance(value, str):
            value = value.split(",")
        if is_missing(value):
            return frozenset()
        if not isinstance(value, list | tuple):
            self._count(SEGMENTS)
            return frozenset()
        texts = [as_text(each) for each in value if each is not None]
        if None in texts:
            self._count(SEGMENTS)
        return frozenset(text.strip() for text in texts if text is not None and text.strip())


def _rows_of(rows: object) -> tuple[Iterable[object], bool]:
    """Return the rows as mappings, and whether they came from a table with typed columns."""
    if hasattr(rows, "to_pylist"):
        return rows.to_pylist(), True
    if hasattr(rows, "iter_rows"):
        return rows.iter_rows(named=True), True
    if hasattr(rows, "to_dict") and not isinstance(rows, Mapping):
        return rows.to_dict("records"), True
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
        raise EventError("rows", f"expected rows as mappings, or a table, got {kind_of(rows)}")
    return rows, False


class Waiting:
    """The identifiers that rows join, for events that bring one of them."""

    def __init__(self) -> None:
        self._by_row: dict[str, set[Identifier]] = {}
        self._rows: dict[Identifier, set[str]] = {}

    def put(self, rows: list[Row], *, replace: bool) -> None:
        """Take the identifiers of a load: of the whole table, or of the lookup values it names."""
        if replace:
            self._by_row.clear()
        for row in rows:
            self._by_row.pop(row.lookup, None)
        for row in rows:
            if len(row.identifiers) > 1:
                self._by_row.setdefault(row.lookup, set()).update(row.identifiers)
        self._turn_round()

    def _turn_round(self) -> None:
        self._rows.clear()
        for lookup, identifiers in self._by_row.items():
            for identifier in identifiers:
                self._rows.setdefault(identifier, set()).add(lookup)

    def __bool__(self) -> bool:
        return bool(self._by_row)

    def state(self) -> Iterator[list[Any]]:
        """Yield [lookup value, identifier, ...] of every row that joins some, in order."""
        for lookup in sorted(self._by_row):
            yield [lookup, *sorted(self._by_row[lookup])]

    def restore(self, entries: Iterable[tuple[str, list[Identifier]]]) -> None:
        """Take in (lookup value, identifiers), as `state` gave them."""
        self._by_row.update((lookup, set(identifiers)) for lookup, identifiers in entries)
        self._turn_round()

    def forget(self, lookups: Iterable[str], identifiers: Iterable[Identifier]) -> int:
        """Remove rows by lookup value, and identifiers from all others; return how many were removed."""
        removed = 0
        for lookup in lookups:
            removed += len(self._by_row.pop(lookup, ()))
        gone = set(identifiers)
        for lookup in {each for identifier in gone for each in self._rows.get(identifier, ())}:
            held = self._by_row.get(lookup)
            if held is not None:
                removed += len(held & gone)
                held -= gone
                if len(held) < 2:
                    del self._by_row[lookup]
        self._turn_round()
        return removed

    def expand(self, identifiers: list[Identifier]) -> list[Identifier]:
        """Return the further identifiers that rows join to these, also by way of each other."""
        met = set(identifiers)
        queue = list(identifiers)
        for identifier in queue:
            for lookup in sorted(self._rows.get(identifier, ())):
                for other in sorted(self._by_row[lookup] - met):
                    met.add(other)
                    queue.append(other)
        return queue[len(identifiers) :]
