"""The first look at events: their times, and which identifiers were seen together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from reactor.engine import Reactor
from reactor.frames import BadRow
from reactor.replay.components import Coder, Codes, components
from reactor.replay.history import Input, Times
from reactor.replay.options import Options
from reactor.spec import Config
from reactor.spec.model import Table

# (number of the event, its table where it is known, what is wrong with it)
Bad: TypeAlias = tuple[int, "str | None", BadRow]


class Scanner:
    """Reads times and identifiers, input after input. `identifiers` gathers what was seen."""

    def __init__(self, config: Config, options: Options) -> None:
        self.identifiers = Identifiers()
        self._config = config
        self._options = options
        self._engine = Reactor(config)

    def scan(self, each: Input) -> tuple[Codes, Codes, list[Bad]]:
        """Return each row's time, -1 for none, the code of its first identifier, 0 for none, and bad rows."""
        reader = Times(each, self._config, self._options, self._engine.event_time)
        column = self._options.table_column or ""
        times, codes = [-1] * len(each.rows), [0] * len(each.rows)
        bad: list[Bad] = []
        for number, row in enumerate(each.rows.take(range(len(each.rows)))):
            found = row if isinstance(row, BadRow) else reader.time(number, row)
            if isinstance(found, BadRow):
                bad.append((each.start + number, reader.table_at(number), found))
                continue
            assert not isinstance(row, BadRow)
            times[number] = found
            table = each.table or str(row[column])
            codes[number] = self.identifiers.add(self._engine.identifiers(row, table))
        return np.array(times, dtype=np.int64), np.array(codes, dtype=np.int64), bad

    def batch(self, rows: Iterable[Mapping[str, object]]) -> Codes:
        """Return the code of the first identifier of each batch row, 0 for none."""
        codes = [self.identifiers.add(self._engine.row_identifiers(row)) for row in rows]
        return np.array(codes, dtype=np.int64)

    def needed(self, table: str | None) -> set[str] | None:
        """Return the columns that times and identifiers of a table are read from; None for all."""
        if table is None:
            return None
        declared = self._config.tables.get(table, Table(table))
        wanted = {declared.time, *(key.name for key in self._config.keys)}
        if not wanted & declared.columns.keys():
            return wanted
        return wanted | {ref.name for name in declared.columns for ref in declared.columns[name].refs}


class Identifiers:
    """The identifiers that were seen, as codes, and which of them were seen together."""

    def __init__(self) -> None:
        self._coder = Coder()
        self._singles: set[int] = set()
        self._links: set[tuple[int, int]] = set()
        self._known: Codes = np.empty(0, dtype=np.int64)
        self._linked: Codes = np.empty((0, 2), dtype=np.int64)

    def add(self, identifiers: Sequence[tuple[int, str]]) -> int:
        """Take in the identifiers of an event or a row; return the code of the first, 0 without any."""
        if not identifiers:
            return 0
        first, *others = self._coder.codes(identifiers)
        self._singles.add(first)
        for other in others:
            self._links.add((first, other))
        return first

    def link(self, left: Codes, right: Codes) -> None:
        """Take in pairs of codes that belong together."""
        self._links.update(zip(left.tolist(), right.tolist(), strict=True))

    def compact(self) -> None:
        """Move what was seen into arrays."""
        self._known = np.union1d(self._known, np.fromiter(self._singles, np.int64, len(self._singles)))
        new = np.array(list(self._links), dtype=np.int64).reshape(-1, 2)
        self._linked = np.unique(np.concatenate([self._linked, new]), axis=0)
        self._singles.clear()
        self._links.clear()

    @property
    def firsts(self) -> Codes:
        """The codes that came first in some event or row, sorted."""
        self.compact()
        return self._known

    @property
    def links(self) -> Codes:
        """Pairs of codes that were seen together: of the first with each other."""
        self.compact()
        return self._linked

    def components(self) -> tuple[Codes, Codes]:
        """Return the codes that came first in some event or row, sorted, and the component of each."""
        return self.firsts, components_of(self.firsts, self.links)


def components_of(firsts: Codes, links: Codes) -> Codes:
    """Return the component of each code, of those that links join."""
    alone = np.stack([firsts, np.zeros_like(firsts)], axis=1)
    return components(np.concatenate([alone, links]))[: len(firsts)]
