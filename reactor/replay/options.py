"""What is asked of a replay, and what it gives."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

from reactor.errors import EventError, ReactorError
from reactor.event import time_between
from reactor.frames import Source
from reactor.payload import Audience

if TYPE_CHECKING:
    import polars as pl

Engine: TypeAlias = Literal["auto", "live", "columnar"]
# A file, a table, or rows; several files; or the same by the table they belong to.
Events: TypeAlias = Source | Sequence[str | os.PathLike[str]] | Mapping[str, Any]
# Told how much is done: `progress(done, total)`, in events.
Progress: TypeAlias = Callable[[int, int], None]

_ENGINES: Final = ("auto", "live", "columnar")


class Options(msgspec.Struct, frozen=True):
    """How a history is replayed.

    table: of the events that name none; table_column: the column that names it, row by row.
    time: the time column of all tables, in place of the config's.
    since_ms, until_ms: see `simulate`; limit: the most events, after sorting.
    strict: the first bad row ends the run. state: path of a snapshot to begin with.
    engine: which one runs; "auto" is the columnar one wherever it can be.
    """

    table: str | None = None
    table_column: str | None = None
    time: str | None = None
    audience: Audience = "public"
    since_ms: int | None = None
    until_ms: int | None = None
    limit: int | None = None
    strict: bool = False
    state: str | None = None
    engine: Engine = "auto"


class Results(msgspec.Struct, frozen=True):
    """What one pass gives; a table that was not asked for is None.

    The columns are those of the command's files: see `docs/reference/cli.md`.
    """

    offers: pl.DataFrame
    id_changes: pl.DataFrame
    rejects: pl.DataFrame
    attributes: pl.DataFrame | None
    attributes_before: pl.DataFrame | None
    profiles: pl.DataFrame | None
    summary: dict[str, Any]

    @property
    def firsts(self) -> pl.DataFrame:
        """The first offer of each section, in order of time."""
        import polars as pl

        keys = self.offers.select("section", "time", "event").with_row_index("row")
        rows = keys.group_by("section").agg(pl.col("row").sort_by("time", "event").first())["row"]
        return self.offers[rows.sort()].sort("time", "event", maintain_order=True)

    def frames(self, name: str) -> list[pl.DataFrame]:
        """Return a table in frames, here one. Raises KeyError for one that was not asked for."""
        frame: pl.DataFrame | None = getattr(self, name)
        if frame is None:
            raise KeyError(name)
        return [frame]

    def __repr__(self) -> str:
        return f"Results({self.offers.height} offers, {self.rejects.height} rejects)"


def options(
    *,
    table: str | None = None,
    table_column: str | None = None,
    time: str | None = None,
    audience: Audience = "public",
    since: object = None,
    until: object = None,
    limit: int | None = None,
    strict: bool = False,
    engine: str = "auto",
) -> Options:
    """Check the arguments of a replay. Raises ReactorError, naming the argument."""
    if table is not None and table_column is not None:
        raise ReactorError("table, table_column: expected one of them, got both")
    if audience not in ("public", "private"):
        raise ReactorError('audience: expected "public" or "private", got something else')
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise ReactorError("limit: expected a number of events, got something else")
    if engine not in _ENGINES:
        raise ReactorError(f"engine: expected one of {', '.join(_ENGINES)}, got something else")
    return Options(
        table,
        table_column,
        time,
        audience,
        moment(since, "since"),
        moment(until, "until"),
        limit,
        strict,
        engine=engine,  # type: ignore[arg-type]
    )


def moment(value: object, name: str) -> int | None:
    """Return the ms of a time in any form an event's may have; None for None.

    >>> moment("2011-03-01", "since")
    1298937600000
    """
    return None if value is None else time_between(value, name)


class BadRowError(EventError):
    """Under `strict`, the first row that is no event.

    file: what the row is from, or "events"; event: its number over all inputs, from 0; None for a
        batch row.
    """

    def __init__(self, file: str, event: int | None, path: str, reason: str) -> None:
        self.file = file
        self.event = event
        place = file if event is None else f"{file}, event {event}"
        super().__init__(f"{place}: {path}", reason)
