"""Tables of results, filled row by row: a block of rows becomes columns at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import polars as pl

_BLOCK: Final = 20_000
TIME: Final = pl.Datetime("ms", "UTC")
TEXTS: Final = pl.List(pl.String)

# The types of parts, as the engine names them. What has no one type is JSON text.
PART_TYPES: Final[Mapping[str, Any]] = {
    "string": pl.String,
    "number": pl.Float64,
    "integer": pl.Int64,
    "boolean": pl.Boolean,
    "timestamp": TIME,
    "strings": TEXTS,
    "numbers": pl.List(pl.Float64),
    "list": None,
    "json": None,
}

_encode = msgspec.json.Encoder().encode


class TableBuilder:
    """Gathers rows, each a sequence with a value for every column, and makes a frame of them.

    columns: name → polars type, or None for values that become JSON text as they are added.
    """

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self._columns = dict(columns)
        self._json = [place for place, dtype in enumerate(self._columns.values()) if dtype is None]
        self._rows: list[Sequence[object]] = []
        self._frames = [self._frame([])]

    def add(self, row: list[object]) -> None:
        """Add a row; the builder owns it from then on."""
        for place in self._json:
            row[place] = json_text(row[place])
        self._rows.append(row)
        if len(self._rows) == _BLOCK:
            self._frames.append(self._frame(self._rows))
            self._rows = []

    def finish(self, *, by_event: bool = False) -> pl.DataFrame:
        """Return all rows as one frame; by_event: sorted by the column `event`, stably."""
        frame = pl.concat([*self._frames, self._frame(self._rows)])
        return frame.sort("event", maintain_order=True) if by_event else frame

    def _frame(self, rows: Sequence[Sequence[object]]) -> pl.DataFrame:
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(self._columns)
        return pl.DataFrame(
            [
                pl.Series(name, values, dtype=pl.String if dtype is None else dtype)
                for (name, dtype), values in zip(self._columns.items(), columns, strict=True)
            ]
        )


def json_text(value: object) -> str | None:
    """Return a value as JSON text; None stays None.

    >>> json_text({"spent": 15}), json_text(["a"]), json_text(None)
    ('{"spent":15}', '["a"]', None)
    """
    return None if value is None else _encode(value).decode()


def part_columns(names: Sequence[str], types: Sequence[str], taken: Sequence[str]) -> dict[str, Any]:
    """Return name → polars type of columns for parts; a name that is `taken` gains `attributes.` in front.

    >>> part_columns(["table", "visits"], ["json", "integer"], ["event", "table"])
    {'attributes.table': None, 'visits': Int64}
    """
    return {
        f"attributes.{name}" if name in taken else name: PART_TYPES[kind]
        for name, kind in zip(names, types, strict=True)
    }
