"""A history that is replayed, and what that gave."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from reactor.errors import ReactorError, did_you_mean
from reactor.frames import Source, need
from reactor.replay.options import Events, Options, Progress, Results, moment
from reactor.spec import Config, load_config
from reactor.spec.model import Table
from reactor.state import ReloadReport

if TYPE_CHECKING:
    import polars as pl

    from reactor.engine import Reactor
    from reactor.replay.history import Part, Planned


class Replay:
    """A history, read and sorted, that can be replayed any number of times.

    Reading raises as `simulate` does; each pass then starts with a new engine, or one that goes on
    from the options' snapshot, and gives the same. `loaded` is what became of that state, after a pass.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | Mapping[str, Any] | Config,
        events: Events | Part,
        chosen: Options | None = None,
        *,
        batch: Source | None = None,
    ) -> None:
        need("polars", "a replay")
        from reactor.engine import Reactor
        from reactor.replay.batch import Batch
        from reactor.replay.history import History, Part, inputs_of

        self.options = chosen or Options()
        self.config = prepared(config, self.options)
        self._batch = None if batch is None else Batch(batch, self.config, strict=self.options.strict)
        part = events if isinstance(events, Part) else None
        inputs = events.inputs if isinstance(events, Part) else inputs_of(events, self.config, self.options)
        self.loaded: ReloadReport | None = None
        self._history = History(inputs, self.options, Reactor(self.config).event_time, self.config, part)

    def __len__(self) -> int:
        """Count the events that will be processed."""
        return len(self._history)

    def run(
        self,
        *,
        attributes: bool = False,
        attributes_before: bool = False,
        profiles: bool = False,
        id_changes: bool = True,
        at: object = None,
        snapshot: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
    ) -> Results:
        """Replay once.

        attributes, attributes_before, profiles: whether to make these tables; they cost more than
            the rest. id_changes: whether to make that one; else it has no rows.
        at: the time the profiles are read at, from the events until then; default the last event's.
        snapshot: where to write the state after the last event.
        """
        from reactor.engine import Reactor
        from reactor.replay.columns.passes import ColumnarPass
        from reactor.replay.history import rejects_frame
        from reactor.replay.live import LivePass
        from reactor.replay.summary import summarize

        at_ms = moment(at, "at")
        asked: Any = {
            "attributes": attributes,
            "attributes_before": attributes_before,
            "profiles": profiles,
            "at_ms": at_ms,
            "id_changes": id_changes,
        }
        done: LivePass | ColumnarPass
        if self._is_columnar(snapshot):
            done = ColumnarPass(self.config, self.options, self._batch, **asked)
            report = done.report
            done.run(self._history, progress)
        else:
            engine = Reactor(self.config, state=self.options.state)
            self.loaded = engine.loaded
            report = None if self._batch is None else self._batch.load(engine)
            done = LivePass(engine, self.config, self.options, **asked)
            done.run(self._history, progress)
            if snapshot is not None:
                engine.snapshot(snapshot)
        offers = done.offers
        batch_rejects = [] if self._batch is None else self._batch.rejects
        return Results(
            offers,
            done.id_changes,
            rejects_frame([*batch_rejects, *self._history.rejects, *done.rejects]),
            done.attributes,
            done.attributes_before,
            done.profiles,
            summarize(self.config, self.options, self._history, done, offers, report, batch_rejects),
        )

    def engine(self, config: Config | None = None) -> Reactor:
        """Return an engine as it is before the first event, with batch rows and the state to go on from.

        config: another than the replay's, which may differ from it in the sections.
        """
        from reactor.engine import Reactor

        engine = Reactor(config or self.config, state=self.options.state)
        if self._batch is not None:
            self._batch.load(engine)
        return engine

    def planned(self) -> Iterator[Planned]:
        """Yield the events in the order they are processed in."""
        return self._history.events()

    def _is_columnar(self, snapshot: object) -> bool:
        """Choose the engine. Raises ReactorError where the columnar one is asked for and can't be."""
        from reactor.replay.columns.passes import why_not

        if self.options.engine == "live":
            return False
        reason = why_not(self.config, self.options, snapshot)
        if reason is not None and self.options.engine == "columnar":
            raise ReactorError(f'engine: this run can\'t be columnar: {reason}; expected "auto" or "live"')
        return reason is None

    def __repr__(self) -> str:
        return f"Replay({len(self)} events)"


class Replays(Protocol):
    """What can replay a history any number of times: `Replay`, whole or in pieces."""

    config: Config

    def run(
        self,
        *,
        attributes: bool = False,
        attributes_before: bool = False,
        profiles: bool = False,
        at: object = None,
    ) -> Results:
        """Replay once."""


class Run:
    """What a replay gave: polars frames with the columns of the command's files.

    offers, id_changes and rejects are there at once. `attributes` and `attributes_before` are made
    when they are first asked for, and `profiles(at)` every time: each replays the history again,
    with the same outcome.
    """

    def __init__(self, replay: Replays) -> None:
        self._replay = replay
        results = replay.run()
        self.offers: pl.DataFrame = results.offers
        self.id_changes: pl.DataFrame = results.id_changes
        self.rejects: pl.DataFrame = results.rejects
        self._summary = results.summary
        self._attributes: pl.DataFrame | None = None
        self._attributes_before: pl.DataFrame | None = None

    @property
    def attributes(self) -> pl.DataFrame:
        """A row an event: every part just after it. Replays the history when first asked for."""
        if self._attributes is None:
            self._attributes = self._replay.run(attributes=True).attributes
        assert self._attributes is not None
        return self._attributes

    @property
    def attributes_before(self) -> pl.DataFrame:
        """A row an event: every part just before it, as `before.X` has it in criteria.

        That is at the event's reading time, after its identifiers have joined their profiles, less
        those first seen in it, and before its updates. Replays the history when first asked for.
        """
        if self._attributes_before is None:
            self._attributes_before = self._replay.run(attributes_before=True).attributes_before
        assert self._attributes_before is not None
        return self._attributes_before

    def profiles(self, at: object = None) -> pl.DataFrame:
        """A row a profile, as of `at`: from the events until then, read at that time.

        at: a time; default that of the last event. Replays the history.
        """
        found = self._replay.run(profiles=True, at=at).profiles
        assert found is not None
        return found

    def section(self, name: str) -> pl.DataFrame:
        """Return the offers of one section, with a typed column for each output of its payload.

        The columns: event, table, time, rid, profile, redacted, batch_segments if it names segments,
        then the outputs. One that is called like these gains `attributes.` in front.
        Raises ReactorError for a name the config does not have.
        """
        from reactor.replay.sections import section_frame

        sections = {section.name: section for section in self._replay.config.sections}
        if name not in sections:
            hint = did_you_mean(name, sections) or f"its sections: {', '.join(sections)}"
            raise ReactorError(f'section: the config has no section "{name}" ({hint})')
        return section_frame(self.offers, sections[name])

    def summary(self) -> dict[str, Any]:
        """Return the counts of the run, as `--summary` writes them; what was noticed is in `warnings`."""
        return self._summary

    def __repr__(self) -> str:
        return f"Run({self._summary['events']} events, {self.offers.height} offers)"


def prepared(config: str | os.PathLike[str] | Mapping[str, Any] | Config, chosen: Options) -> Config:
    """Return a config as a replay with these options takes it."""
    return _retimed(_loaded(config), chosen.time)


def _loaded(config: str | os.PathLike[str] | Mapping[str, Any] | Config) -> Config:
    return config if isinstance(config, Config) else load_config(config)


def _retimed(config: Config, time: str | None) -> Config:
    """Return the config with another time column for every table."""
    if time is None:
        return config
    tables: dict[str, Table] = {
        name: msgspec.structs.replace(table, time=time) for name, table in config.tables.items()
    }
    return msgspec.structs.replace(config, tables=tables)
