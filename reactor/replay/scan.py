"""The first look at events: their times, and which identifiers were seen together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np

from reactor.engine import Reactor
from reactor.frames import BadRow, Rows
from reactor.frames.rows import DecodedRows
from reactor.replay.columns.events import EventTable
from reactor.replay.columns.ordering import combined_codes
from reactor.replay.columns.stitching import Stitching
from reactor.replay.components import Codes, code_of, components, tuples_of
from reactor.replay.history import Input, Piece, Times, by_name
from reactor.replay.options import Options
from reactor.spec import Config
from reactor.spec.model import Table

# (number of the event, its table where it is known, what is wrong with it)
Bad: TypeAlias = tuple[int, "str | None", BadRow]

_WAITING: Final = 500_000  # codes and pairs, before they are put among those that are known
_MEMO: Final = 200_000  # codes of a key's values


class Scanner:
    """Reads times and identifiers, input after input. `identifiers` gathers what was seen."""

    def __init__(self, config: Config, options: Options) -> None:
        self.identifiers = Identifiers()
        self._config = config
        self._options = options
        self._engine = Reactor(config)
        self._valid = Stitching(config).identity.valid
        self._memo: list[dict[str, int]] = [{} for _ in config.keys]

    def scan(self, each: Input) -> tuple[Codes, Codes, list[Bad]]:
        """Return each row's time, -1 for none, the code of its first identifier, 0 for none, and bad rows."""
        each = each._replace(rows=self._read_once(each))
        reader = Times(each, self._config, self._options, self._engine.event_time)
        times, bad = reader.all()
        codes = np.zeros(len(times), dtype=np.int64)
        known = np.flatnonzero(times >= 0)
        for table, places in by_name(each, self._options.table_column, known):
            rows = known[places]
            events = EventTable(
                self._config,
                self._config.tables.get(table, Table("")),
                [Piece(each.rows, rows, np.arange(len(rows)))],
            )
            codes[rows] = self._first_codes(events)
        return times, codes, [(each.start + row, reader.table_at(row), found) for row, found in bad]

    def _first_codes(self, events: EventTable) -> Codes:
        """Return the code of each event's first identifier; what is done is done once a distinct tuple."""
        columns = events.identifiers()
        shown = [(found.codes, len(found.values)) for found in columns if found is not None]
        numbers, firsts = combined_codes(shown, len(events))
        tuples = np.zeros((len(firsts), len(columns)), dtype=np.int64)
        for k, found in enumerate(columns):
            if found is not None:
                known = np.array([*self._codes_of(k, found.values), 0], dtype=np.int64)
                tuples[:, k] = known[found.codes[firsts]]
        return self.identifiers.take(tuples)[numbers]

    def _codes_of(self, k: int, values: Sequence[object]) -> list[int]:
        """Return the code of each value in a key's column, 0 for what can't be an identifier."""
        memo = self._memo[k]
        found = []
        for value in values:
            if not isinstance(value, str):
                found.append(0)
                continue
            code = memo.get(value)
            if code is None:
                if len(memo) >= _MEMO:
                    memo.clear()
                code = memo[value] = code_of(k, value) if self._valid(k, value) is None else 0
            found.append(code)
        return found

    def batch(self, rows: Sequence[Mapping[str, object]]) -> Codes:
        """Return the code of the first identifier of each batch row, 0 for none."""
        found = [[code_of(*each) for each in self._engine.row_identifiers(row)] for row in rows]
        return self.identifiers.take(tuples_of(found, len(self._config.keys)))

    def needed(self, table: str | None) -> set[str]:
        """Return the columns that times and identifiers are read from; of all tables where none is given."""
        config = self._config
        tables = [Table(""), *config.tables.values()]
        if table is not None:
            tables = [config.tables.get(table, Table(table))]
        keys = {key.name for key in config.keys}
        found = keys | {self._options.table_column or ""}
        for each in tables:
            wanted = {each.time, *keys}
            found |= wanted
            if wanted & each.columns.keys():
                found |= {ref.name for made in each.columns.values() for ref in made.refs}
        return found - {""}

    def _read_once(self, each: Input) -> Rows:
        """Return the rows; what is decoded row by row is decoded here, and can be read as often as needed."""
        if each.rows.columns is not None:
            return each.rows
        return DecodedRows(each.rows, self.needed(each.table))


class Identifiers:
    """The identifiers that were seen, as codes, and which of them were seen together."""

    def __init__(self) -> None:
        self._known: Codes = np.empty(0, dtype=np.int64)
        self._linked: Codes = np.empty((0, 2), dtype=np.int64)
        self._firsts: list[Codes] = []
        self._pairs: list[Codes] = []
        self._waiting = 0

    def take(self, tuples: Codes) -> Codes:
        """Take in identifiers, a row of codes for those seen together; return the first of each row, or 0."""
        firsts = np.zeros(len(tuples), dtype=np.int64)
        for column in tuples.T:
            self.link(firsts, column)
            firsts = np.where(firsts == 0, column, firsts)
        self._firsts.append(np.unique(firsts[firsts != 0]))
        self._wait(len(self._firsts[-1]))
        return firsts

    def link(self, left: Codes, right: Codes) -> None:
        """Take in pairs of codes that belong together; a pair with a 0 is none."""
        both = (left != 0) & (right != 0)
        if both.any():
            self._pairs.append(_distinct(np.stack([left[both], right[both]], axis=1)))
            self._wait(len(self._pairs[-1]))

    def _wait(self, count: int) -> None:
        """Put what waits among what is known when it is much: so each is moved a few times at most."""
        self._waiting += count
        if self._waiting > max(_WAITING, len(self._known) + len(self._linked)):
            self._compact()

    def _compact(self) -> None:
        self._known = np.unique(np.concatenate([self._known, *self._firsts]))
        self._linked = _distinct(np.concatenate([self._linked, *self._pairs]))
        self._firsts.clear()
        self._pairs.clear()
        self._waiting = 0

    @property
    def firsts(self) -> Codes:
        """The codes that came first in some event or row, sorted."""
        self._compact()
        return self._known

    @property
    def links(self) -> Codes:
        """Pairs of codes that were seen together: of the first with each other."""
        self._compact()
        return self._linked

    def components(self) -> tuple[Codes, Codes]:
        """Return the codes that came first in some event or row, sorted, and the component of each."""
        return self.firsts, components_of(self.firsts, self.links)


def components_of(firsts: Codes, links: Codes) -> Codes:
    """Return the component of each code, of those that links join."""
    alone = np.stack([firsts, np.zeros_like(firsts)], axis=1)
    return components(np.concatenate([alone, links]))[: len(firsts)]


def _distinct(pairs: Codes) -> Codes:
    """Return the distinct pairs, sorted."""
    ordered = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    is_new = np.ones(len(ordered), dtype=np.bool_)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return ordered[is_new]
