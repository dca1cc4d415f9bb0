"""A history: rows of all inputs, each with its table and time, in the order of (time, input)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from reactor.errors import EventError, ReactorError, did_you_mean
from reactor.frames import BadRow, Rows, is_table, rows_of
from reactor.replay.options import BadRowError, Events, Options
from reactor.spec.model import Config, Table
from reactor.units import MAX_TIME_S

# Told a table and an event: the event's time in ms. Raises EventError.
TimeOf = Callable[[Mapping[str, object], str], int]

_MEMO: Final = 100_000
_SECONDS: Final = "^([0-9]{1,12})$"  # text of whole seconds


class Reject(NamedTuple):
    """A row that was not processed.

    event: its number over all inputs, from 0; None for a batch row. row: its number in its own input.
    """

    event: int | None
    table: str | None
    file: str
    row: int
    path: str
    reason: str


class Input(NamedTuple):
    """Rows of one source: `table` is theirs, or None where a column names it; `start` the first's number."""

    name: str
    table: str | None
    rows: Rows
    start: int


class Part(NamedTuple):
    """Events of some profiles, all of theirs, out of a history that ends at `ends_ms`.

    numbers: of the events in that history, which decide between events of one time; None for
        ascending ones.
    """

    inputs: Sequence[Input]
    ends_ms: int | None
    numbers: np.ndarray[Any, np.dtype[np.int64]] | None = None


class Planned(NamedTuple):
    """An event in its turn: number over all inputs, time in ms, table, columns."""

    number: int
    time_ms: int
    table: str
    event: Mapping[str, Any]


class Piece(NamedTuple):
    """Events of one table in one input: the numbers of their rows, and their places in the history."""

    rows: Rows
    numbers: np.ndarray[Any, np.dtype[np.int64]]
    places: np.ndarray[Any, np.dtype[np.int64]]


class TableEvents(NamedTuple):
    """The events of one table, input by input."""

    table: str
    pieces: tuple[Piece, ...]


class History:
    """Events in the order they are to be processed, and the rows that are none.

    Rows stay as they were read: an event becomes a mapping when its turn comes.
    rows: how many there are in all inputs; rejects: those that could not be given a time.
    left_out: how many lie at `until` or after, or beyond `limit`.
    ends_ms: when profiles are read at the end: the last event's time, or that of the history which
        this one is a part of.
    """

    def __init__(
        self,
        inputs: Sequence[Input],
        options: Options,
        time_of: TimeOf,
        config: Config,
        part: Part | None = None,
    ) -> None:
        self.inputs = tuple(inputs)
        self._ties = None if part is None else part.numbers
        self.rejects: list[Reject] = []
        self._column = options.table_column
        self._strict = options.strict
        self.rows = sum(len(each.rows) for each in inputs)
        times = np.full(self.rows, -1, dtype=np.int64)  # no event's time is below 0
        for each in inputs:
            reader = Times(each, config, options, time_of)
            times[each.start : each.start + len(each.rows)], bad = reader.all()
            self.rejects += [self._reject(each, row, reader.table_at(row), found) for row, found in bad]
        self._order = self._planned(times, options)
        self._times = times[self._order]
        self.ends_ms = self.last_ms if part is None else part.ends_ms
        self.left_out = self.rows - len(self.rejects) - len(self._order)

    def __len__(self) -> int:
        return len(self._order)

    @property
    def first_ms(self) -> int | None:
        """The time of the first event, None without events."""
        return int(self._times[0]) if len(self._times) else None

    @property
    def last_ms(self) -> int | None:
        """The time of the last event, None without events."""
        return int(self._times[-1]) if len(self._times) else None

    @property
    def in_input_order(self) -> bool:
        """Whether events are processed in the order they came in."""
        return bool(np.all(self._order[1:] > self._order[:-1]))

    def events(self) -> Iterator[Planned]:
        """Yield the events in order. May be called again."""
        starts = np.array([each.start for each in self.inputs], dtype=np.int64)
        places = np.searchsorted(starts, self._order, side="right") - 1
        streams = [
            each.rows.take(_numbers(self._order[places == place] - each.start))
            for place, each in enumerate(self.inputs)
        ]
        for number, time_ms, place in zip(
            self._order.tolist(), self._times.tolist(), places.tolist(), strict=True
        ):
            event = next(streams[place])
            assert not isinstance(event, BadRow)
            table = self.inputs[place].table
            yield Planned(number, time_ms, table or str(event[self._column or ""]), event)

    @property
    def numbers(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The numbers of the events, over all inputs, in order."""
        numbers: np.ndarray[Any, np.dtype[np.int64]] = self._order
        return numbers

    @property
    def times(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The times of the events in ms, in order."""
        times: np.ndarray[Any, np.dtype[np.int64]] = self._times
        return times

    def only(self, places: np.ndarray[Any, np.dtype[np.int64]]) -> History:
        """Return the history of some of the events, given by their places in the order."""
        other = copy(self)
        other._order, other._times = self._order[places], self._times[places]
        return other

    def by_table(self) -> list[TableEvents]:
        """Return the events of each table, in the order in which the tables first appear."""
        starts = np.array([each.start for each in self.inputs], dtype=np.int64)
        inputs = np.searchsorted(starts, self._order, side="right") - 1
        found: dict[str, list[Piece]] = {}
        for number, each in enumerate(self.inputs):
            places = np.flatnonzero(inputs == number)
            rows = self._order[places] - each.start
            for name, mine in by_name(each, self._column, rows):
                found.setdefault(name, []).append(Piece(each.rows, rows[mine], places[mine]))
        return sorted(
            [TableEvents(name, tuple(pieces)) for name, pieces in found.items()],
            key=lambda table: min(int(piece.places[0]) for piece in table.pieces),
        )

    def rejected(self, planned: Planned, error: EventError) -> Reject:
        """Return the reject for an event that the engine refused. Under `strict` raises BadRowError."""
        place = max(place for place, each in enumerate(self.inputs) if each.start <= planned.number)
        each = self.inputs[place]
        bad = BadRow(error.path, error.reason)
        return self._reject(each, planned.number - each.start, planned.table, bad)

    def _reject(self, each: Input, row: int, table: str | None, bad: BadRow) -> Reject:
        number = each.start + row
        if self._strict:
            raise BadRowError(each.name, number, bad.path, bad.reason)
        return Reject(number, table, each.name, row, bad.path, bad.reason)

    def _planned(self, times: np.ndarray[Any, Any], options: Options) -> np.ndarray[Any, Any]:
        """Return the numbers of the events to process, stably sorted by time."""
        known = np.flatnonzero(times >= 0)
        if options.until_ms is not None:
            known = known[times[known] < options.until_ms]
        if self._ties is not None:
            return known[np.lexsort((self._ties[known], times[known]))][: options.limit]
        return known[np.argsort(times[known], kind="stable")][: options.limit]


def inputs_of(events: Events, config: Config, options: Options) -> list[Input]:
    """Open everything that holds events.

    Raises EventError for what can't be read, ReactorError where the table is not known.
    """
    keys = [key.name for key in config.keys]
    inputs: list[Input] = []
    start = 0
    for table, source in sources_of(events):
        rows = rows_of(source, keys=keys, most_bytes=config.limits.event_bytes)
        name = os.fspath(source) if isinstance(source, str | os.PathLike) else "events"
        each = Input(name, table or table_of(config, options), rows, start)
        require_columns(each, config, options)
        inputs.append(each)
        start += len(rows)
    return inputs


def sources_of(events: Any) -> Iterator[tuple[str | None, Any]]:
    """Yield (table or None, source) for every form that `events` may have."""
    if isinstance(events, Mapping):
        for table, source in events.items():
            for _, each in sources_of(source):
                yield table, each
    elif isinstance(events, list | tuple) and events and all(_is_input(each) for each in events):
        for each in events:
            yield each if isinstance(each, tuple) else (None, each)
    else:
        yield None, events


def _is_input(source: object) -> bool:
    """Tell a path or a table, or one of these with the table it is of, from a row."""
    if isinstance(source, tuple):
        return len(source) == 2 and _is_input(source[1])
    return isinstance(source, str | os.PathLike) or is_table(source)


def table_of(config: Config, options: Options) -> str | None:
    """Return the table of events that name none; None where a column does."""
    if options.table is not None or options.table_column is not None:
        return options.table
    if len(config.tables) == 1:
        return next(iter(config.tables))
    raise ReactorError(
        f"table: the config has several ({', '.join(config.tables)}): name the one the events are of,"
        " or the column that names it (table_column)"
    )


def require_columns(each: Input, config: Config, options: Options) -> None:
    """Raise EventError if a source has none of a column that every row must have."""
    if each.rows.columns is None or not len(each.rows):
        return
    needed = options.table_column or ""
    if each.table is not None:
        table = config.tables.get(each.table, Table(each.table))
        needed = "" if table.time in table.columns else table.time
    if needed and needed not in each.rows.columns:
        hint = did_you_mean(needed, each.rows.columns) or f"its columns: {', '.join(each.rows.columns)}"
        raise EventError(each.name, f'expected a column "{needed}", got none ({hint})')


class Times:
    """Reads the table and time of every row of an input, and of no column more than that needs."""

    def __init__(self, each: Input, config: Config, options: Options, time_of: TimeOf) -> None:
        self._each = each
        self._tables = config.tables
        self._time_of = time_of
        self._column = options.table_column
        self._memo: dict[tuple[str, str], int] = {}
        self._rejected: dict[int, str] = {}

    def all(self) -> tuple[np.ndarray[Any, np.dtype[np.int64]], list[tuple[int, BadRow]]]:
        """Return the time of each row in ms, -1 for none, and (row, what is wrong with it)."""
        times = self._at_once()
        rest = np.flatnonzero(times < 0)
        bad = []
        for row, found in zip(rest.tolist(), self._read(_numbers(rest)), strict=True):
            if isinstance(found, BadRow):
                bad.append((row, found))
            else:
                times[row] = found
        return times, bad

    def _at_once(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the times that can be read as a column, in ms; -1 for all others."""
        every = np.arange(len(self._each.rows))
        if self._each.table is not None:
            return self._of_column(self._each.table, every)
        times = np.full(len(every), -1, dtype=np.int64)
        frame = self._each.rows.table(every, [self._column or ""])
        if frame is None or frame.dtypes != [pl.String]:
            return times
        named = np.flatnonzero((frame.to_series().str.len_bytes() > 0).fill_null(False).to_numpy())
        for name, mine in by_name(self._each, self._column, named):
            times[named[mine]] = self._of_column(name, named[mine])
        return times

    def _of_column(
        self, table: str, numbers: np.ndarray[Any, np.dtype[np.int64]]
    ) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the times of a table's rows that can be read as a column, in ms; -1 for all others."""
        times = np.full(len(numbers), -1, dtype=np.int64)
        declared = self._tables.get(table, Table(table))
        if declared.time in declared.columns:
            return times
        frame = self._each.rows.table(numbers, [declared.time])
        if frame is None or not frame.width:
            return times
        column = frame.to_series()
        if column.dtype.is_integer():
            return _of_seconds(column)
        if column.dtype != pl.String:
            return times
        times = _of_seconds(column.str.extract(_SECONDS).cast(pl.Int64))
        texts = column.set(pl.Series(times >= 0), None).drop_nulls().unique()
        if len(texts):
            named = {} if self._column is None else {self._column: table}
            known = [self._time(0, {**named, declared.time: text}) for text in texts.to_list()]
            found = [-1 if isinstance(each, BadRow) else each for each in known]
            read = column.replace_strict(texts, found, default=-1, return_dtype=pl.Int64).to_numpy()
            times = np.where(times < 0, read, times)
            self._rejected.clear()
        return times

    def _read(self, numbers: Sequence[int]) -> Iterator[int | BadRow]:
        """Yield the time of some rows in ms, or what is wrong with each."""
        for number, row in zip(numbers, self._narrow().take(numbers), strict=True):
            yield row if isinstance(row, BadRow) else self._time(number, row)

    def table_at(self, row: int) -> str | None:
        """Return the table of a row that was found bad, where it is known."""
        return self._each.table or self._rejected.get(row)

    def _narrow(self) -> Rows:
        rows, table = self._each.rows, self._each.table
        if table is None:
            return rows
        declared = self._tables.get(table, Table(table))
        return rows if declared.time in declared.columns else rows.select([declared.time])

    def _time(self, number: int, row: Mapping[str, object]) -> int | BadRow:
        """Return the time of a row in ms, or what is wrong with it."""
        table = self._each.table or row.get(self._column or "")
        if not isinstance(table, str) or not table:
            return BadRow(self._column or "", "expected the name of a table")
        declared = self._tables.get(table)
        made = declared is not None and declared.time in declared.columns
        value = row.get("time" if declared is None else declared.time)
        if value.__class__ is int and not made and 0 <= value <= MAX_TIME_S:
            return value * 1000
        text = value if isinstance(value, str) and not made else None
        if text is not None and (known := self._memo.get((table, text))) is not None:
            return known
        try:
            time_ms = self._time_of(row, table)
        except EventError as error:
            self._rejected[number] = table
            return BadRow(error.path, error.reason)
        if text is not None:
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            self._memo[table, text] = time_ms
        return time_ms


def by_name(
    each: Input, column: str | None, rows: np.ndarray[Any, np.dtype[np.int64]]
) -> Iterator[tuple[str, np.ndarray[Any, np.dtype[np.int64]]]]:
    """Yield each table, in the order in which they first appear, and which of the rows are its.

    rows: numbers of events. column: what names their table, row by row, where the input does not.
    """
    if not len(rows):
        return
    if each.table is not None:
        yield each.table, np.arange(len(rows))
        return
    name = column or ""
    frame = each.rows.table(rows, [name])
    if frame is not None:
        names = frame.to_series().alias("name")
        groups = names.to_frame().with_row_index("row").group_by("name", maintain_order=True).agg("row")
        for table, mine in zip(groups["name"].to_list(), groups["row"], strict=True):
            yield table, mine.to_numpy().astype(np.int64)
        return
    found: dict[str, list[int]] = {}
    for place, row in enumerate(each.rows.select([name]).take(rows.tolist())):
        assert not isinstance(row, BadRow)
        found.setdefault(str(row[name]), []).append(place)
    for table, places in found.items():
        yield table, np.array(places, dtype=np.int64)


def _of_seconds(column: pl.Series) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return times of whole seconds in ms; -1 where there is none, or none that can be."""
    wide = column.cast(pl.Int64, strict=False)  # a narrow type can't hold the greatest time
    seconds = wide.set(~wide.is_between(0, MAX_TIME_S).fill_null(False), None)
    times: np.ndarray[Any, np.dtype[np.int64]] = (seconds * 1000).fill_null(-1).to_numpy()
    return times


def _numbers(numbers: np.ndarray[Any, Any]) -> Sequence[int]:
    """Return numbers as a range if they are one: it is read in slices."""
    if len(numbers) and numbers[-1] - numbers[0] + 1 == len(numbers) and np.all(np.diff(numbers) == 1):
        return range(int(numbers[0]), int(numbers[-1]) + 1)
    found: list[int] = numbers.tolist()
    return found


def rejects_frame(rejects: Sequence[Reject]) -> pl.DataFrame:
    """Return a row a bad row: batch rows first, then by event."""
    rows = sorted(rejects, key=lambda reject: -1 if reject.event is None else reject.event)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(Reject._fields)
    types = (pl.Int64, pl.String, pl.String, pl.Int64, pl.String, pl.String)
    return pl.DataFrame(
        [
            pl.Series(name, values, dtype=dtype)
            for name, values, dtype in zip(Reject._fields, columns, types, strict=True)
        ]
    )
