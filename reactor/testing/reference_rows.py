"""Imported batch rows, as the reference model keeps them: a plain list, in the order of loading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from reactor.errors import EventError
from reactor.spec.model import Config, Imported
from reactor.testing.reference_events import Identifier, fault
from reactor.testing.reference_values import coerce, is_missing, parse_time, text_of, usable
from reactor.units import MAX_TIME_MS


class Row(NamedTuple):
    """One batch row. time_ms: valid from then on, always if None. columns: as loaded."""

    lookup: str
    time_ms: int | None
    identifiers: list[Identifier]
    columns: Mapping[str, object]

    def valid_at(self, time_ms: int) -> bool:
        """Tell whether the row may be read at `time_ms`."""
        return self.time_ms is None or self.time_ms <= time_ms

    def value(self, attribute: Imported, text_bytes: int) -> object:
        """Return an imported attribute's value; None if it is missing or can't be used."""
        value = usable(self.columns.get(attribute.column), text_bytes)
        return usable(coerce(value, attribute.dtype), text_bytes)

    def segments(self) -> list[str]:
        """Return the ids of the batch segments: from a list, or from text with commas."""
        value = self.columns.get("segments")
        parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
        texts = [text for part in parts if (text := text_of(part)) is not None]
        return [text.strip() for text in texts if text.strip()]


def read_row(config: Config, columns: Mapping[str, object]) -> Row | None:
    """Return a batch row, None if it names no usable value of the lookup key."""
    identifiers = [
        (key.name, str(columns[key.name]))
        for key in config.keys
        if key.name in columns and fault(key, columns[key.name], config.limits.identifier_bytes) is None
    ]
    lookup = [value for key, value in identifiers if key == config.lookup_key]
    if not lookup:
        return None
    time = columns.get("time")
    if is_missing(time) or time == "":
        return Row(lookup[0], None, identifiers, columns)
    time_ms = parse_time(time, None)
    return Row(lookup[0], time_ms, identifiers, columns) if time_ms in range(MAX_TIME_MS + 1) else None


def load(config: Config, rows: Iterable[Mapping[str, object]]) -> list[Row]:
    """Return the rows of a load that can be used."""
    if config.lookup_key is None:
        raise EventError("identity.lookup_key", "expected a lookup key in the config, to join rows by")
    return [row for columns in rows if (row := read_row(config, columns)) is not None]


def row_of(
    rows: list[Row], seen: Mapping[Identifier, int], lookup_key: str | None, time_ms: int
) -> Row | None:
    """Return the row that a profile with these identifiers reads at `time_ms`.

    seen: identifier → when it was last seen in an event, -1 for never. The lookup value seen last
    comes first, the greater text of those seen at the same time; the first that has a valid row counts.
    """
    values = sorted((seen_ms, value) for (key, value), seen_ms in seen.items() if key == lookup_key)
    for _, value in reversed(values):
        valid = [row for row in rows if row.lookup == value and row.valid_at(time_ms)]
        if valid:
            # `max` keeps the first of equals, so the rows are offered last first.
            return max(reversed(valid), key=lambda row: -(2**63) if row.time_ms is None else row.time_ms)
    return None
