"""What the passes of a runner gave, put together in one place: tables, bad rows, counts, the split."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, Self, TypeVar

import msgspec
import polars as pl

from reactor.engine import Reactor
from reactor.replay.batch import Batch
from reactor.replay.differences import differences
from reactor.replay.history import Reject, rejects_frame
from reactor.replay.options import BadRowError
from reactor.replay.pieced import first_of
from reactor.replay.summary import Whole, united
from reactor.runners.seam import Job, Plan, nothing, unpacked

Made = TypeVar("Made")
Table = TypeVar("Table")


class Outcome(ABC, Generic[Made, Table]):
    """A history that was split, and the passes over it. A runner says how one is made and read.

    starts: the number of the first row of each input, by place; [0] where a column numbers the events.
    split: the report of how the history fell apart; after `summary` also what each bucket took.
    """

    def __init__(self, job: Job, planned: Plan, batch: Batch | None, starts: Sequence[int]) -> None:
        self.job = job
        self.planned = planned
        self.starts = starts
        self.split: dict[str, Any] = dict(planned.split)
        self._batch = batch
        self._passes: list[tuple[Mapping[str, Any], Made]] = []

    @abstractmethod
    def make(self, tables: Mapping[str, Any]) -> Made:
        """Replay every bucket; tables: what to make beside the offers, as for `Replay.run`."""

    @abstractmethod
    def contents(self, made: Made, name: str, *, at_once: bool = True) -> Iterable[bytes]:
        """Return what a pass gave under a name, as `answers` has it, in order of buckets.

        at_once: whether there is room for all of it.
        """

    @abstractmethod
    def given(self, name: str, which: int = 0, **tables: Any) -> Table:
        """Return a table of a config's results as a user of the runner has it."""

    def made(self, **tables: Any) -> Made:
        """Return a pass that makes these tables: an earlier one, if it does."""
        for asked, made in self._passes:
            if all(asked.get(name) == wanted for name, wanted in tables.items()):
                return made
        self._passes.append((tables, self.make(tables)))
        return self._passes[-1][1]

    def frames(
        self, name: str, which: int = 0, *, at_once: bool = True, **tables: Any
    ) -> Iterator[pl.DataFrame]:
        """Yield a table of a config bucket by bucket, first one without rows."""
        yield self.empty(name, which, **tables)
        for content in self.contents(self.made(**tables), f"{name} {which}", at_once=at_once):
            yield unpacked(content)

    def table(self, name: str, which: int = 0, **tables: Any) -> pl.DataFrame:
        """Return a table in memory, in the order of one machine."""
        key = "rid" if name == "profiles" else "event"
        return pl.concat(self.frames(name, which, **tables)).sort(key, maintain_order=True)

    def empty(self, name: str, which: int = 0, **tables: Any) -> pl.DataFrame:
        """Return a table without rows."""
        results = nothing(self.job, which, **tables)
        found = differences(results, results, []) if name == "differences" else getattr(results, name)
        assert isinstance(found, pl.DataFrame)
        return found

    def firsts(self, which: int = 0) -> pl.DataFrame:
        """Return the first offer of each section."""
        return first_of(list(self.frames("firsts", which)))

    def rejects(self, which: int = 0) -> list[Reject]:
        """Return the bad rows, numbered as in their source. Under `strict` the first is raised."""
        found = list(self._batch.rejects if self._batch is not None else ())
        for event, table, file, _, path, reason in self.table("rejects", which).iter_rows():
            if event is None:
                continue  # a batch row; those are known already
            if self.job.options.strict:
                raise BadRowError(file, event, path, reason)
            start = self.starts[bisect_right(self.starts, event) - 1]
            found.append(Reject(event, table, file, event - start, path, reason))
        return found

    def summary(self, which: int = 0) -> dict[str, Any]:
        """Return the summary, as on one machine but for warnings about the split."""
        config, planned = self.job.configs[which], self.planned
        made = self.made()
        parts = [msgspec.json.decode(content) for content in self.contents(made, f"summary {which}")]
        took = [msgspec.json.decode(content) for content in self.contents(made, f"split {which}")]
        self.split["by_bucket"] = sorted(took, key=lambda each: int(each["bucket"]))
        whole = Whole(
            planned.split["rows"],
            sum(part["left_out"] for part in parts),
            planned.first_ms[which],
            planned.ends_ms[which],
            planned.columns,
            self.rejects(which),
            None if self._batch is None else self._batch.load(Reactor(config)),
        )
        summary = united(config, self.job.options, whole, [*parts, nothing(self.job, which).summary])
        summary["warnings"] += planned.split["warnings"]
        return summary


class SplitRun(Generic[Table]):
    """What a replay gave: tables with the columns of one machine.

    A table that no earlier pass has made replays the history; `made` makes several at once.
    """

    def __init__(self, outcome: Outcome[Any, Table], which: int = 0) -> None:
        self._outcome = outcome
        self._which = which

    def made(self, **tables: Any) -> Self:
        """Choose what one pass makes beside the offers: attributes, attributes_before, profiles, at."""
        self._outcome.made(**tables)
        return self

    @property
    def offers(self) -> Table:
        """A row an offer."""
        return self._outcome.given("offers", self._which)

    @property
    def id_changes(self) -> Table:
        """The rows about identity."""
        return self._outcome.given("id_changes", self._which)

    @property
    def attributes(self) -> Table:
        """A row an event: every part just after it."""
        return self._outcome.given("attributes", self._which, attributes=True)

    @property
    def attributes_before(self) -> Table:
        """A row an event: every part just before it."""
        return self._outcome.given("attributes_before", self._which, attributes_before=True)

    def profiles(self, at: object = None) -> Table:
        """A row a profile, as of a time."""
        return self._outcome.given("profiles", self._which, profiles=True, at=at)

    @property
    def rejects(self) -> list[Reject]:
        """The bad rows. Under `strict` the first ends with BadRowError."""
        return self._outcome.rejects(self._which)

    @property
    def split(self) -> dict[str, Any]:
        """The report of how the history fell apart; after `summary` also what each bucket took."""
        return self._outcome.split

    def summary(self) -> dict[str, Any]:
        """Return the counts, as on one machine but for warnings about the split."""
        return self._outcome.summary(self._which)


class Gathered:
    """The results of a pass as a summary and a report read them; tables are fetched bucket by bucket."""

    def __init__(self, outcome: Outcome[Any, Any], which: int = 0, **tables: Any) -> None:
        outcome.made(**tables)
        self.summary = outcome.summary(which)
        self.firsts = outcome.firsts(which)
        self._outcome = outcome
        self._which = which
        self._tables = tables

    def frames(self, name: str) -> Iterable[pl.DataFrame]:
        """Return a table in frames, in no order but that of the rows of an event."""
        if name == "rejects":
            return [rejects_frame(self._outcome.rejects(self._which))]
        return self._outcome.frames(name, self._which, at_once=False, **self._tables)
