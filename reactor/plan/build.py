"""Builds the plan: writes the functions of a config, and binds them to an engine's state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from reactor.criteria import Ref
from reactor.identity import NULL, Failure, Profile, Stitched
from reactor.payload import Notes, Offer, Outcome
from reactor.plan.layout import Layout
from reactor.plan.reads import write_offers, write_parts
from reactor.plan.table import ABSENT, TableWriter
from reactor.source import Source, load
from reactor.spec.model import Config, Table

# Stands for every table the config does not name; no real table's name is empty.
OTHER_TABLE: Final = ""

Event: TypeAlias = Mapping[str, Any]
# (event, now or None, audience) → outcome
Handler: TypeAlias = Callable[[Event, "int | None", int], Outcome]
# The same, and the values of the names that are watched.
WatchHandler: TypeAlias = Callable[[Event, "int | None", int], tuple[Outcome, tuple[Any, ...]]]


class Bindings(msgspec.Struct, frozen=True):
    """What generated functions share with the engine that runs them.

    are_known: whether no column of an event is new; misnamed: judges an event with others.
    indexes: key by key, value → profile.
    attach: stitches what is new; stored: finds what is there; blank: makes a row nobody keeps.
    awake: makes a row of a profile at rest, and returns the time of its newest event.
    touched: takes the profile of each event, where memory is bounded; relieve: keeps to the bound.
    noted, failed: keep what the log rows are made of.
    events, counts, unusable, dropped: what `stats` tells; changed in place.
    """

    are_known: Callable[[Event], bool]
    misnamed: Callable[[Event], list[Failure] | None]
    indexes: tuple[Mapping[str, Profile], ...]
    attach: Callable[[tuple[object, ...], int, list[Failure] | None], Stitched]
    stored: Callable[..., tuple[Profile | None, int | None, list[Failure]]]
    blank: Callable[[int], Profile]
    awake: Callable[[Profile], int]
    touched: list[Profile]
    relieve: Callable[[], None]
    read_batch: Callable[..., tuple[Any, ...]]
    seen_before: Callable[[Stitched, int], dict[str, int] | None]
    noted: Callable[[Stitched, int, Event], Notes | None]
    failed: Callable[[Sequence[Failure], int, Event], Notes | None]
    events: list[int]
    counts: list[int]
    unusable: list[int]
    dropped: list[int]


class Functions(msgspec.Struct, frozen=True):
    """The functions of a config, bound to one engine's state."""

    process: Mapping[str, Handler]
    evaluate: Mapping[str, Handler]
    time: Mapping[str, Callable[[Event, int | None], int]]
    identifiers: Mapping[str, Callable[[Event], tuple[object, ...]]]
    offers: Callable[[Profile, int, int], dict[str, Offer]]
    parts: Callable[[Profile, int], tuple[Any, ...]]


class Plan:
    """A config's layout and generated text. `bind` makes it run."""

    def __init__(self, config: Config) -> None:
        self.layout = Layout(config)
        self._source = source = Source()
        tables = [*config.tables.values(), Table(OTHER_TABLE)]
        self._numbers = {table.name: number for number, table in enumerate(tables)}
        for number, table in enumerate(tables):
            writer = TableWriter(source, self.layout, table)
            # A table's name is the config's text: it stays out of the source.
            source.add(f"# Events of table {number}" if table.name else "# Events of any other table", "")
            writer.write_process(f"process_{number}", number)
            source.add("", "")
            writer.write_evaluate(f"evaluate_{number}")
            source.add("", "")
            writer.write_time(f"time_{number}")
            source.add("", "")
            writer.write_identifiers(f"identifiers_{number}")
            source.add("", "")
        source.add("# Reads without an event", "")
        write_offers(source, self.layout, "offers_of")
        source.add("", "")
        write_parts(source, self.layout, "parts_of")

    def text(self) -> str:
        """Return the generated text."""
        return self._source.text()

    def watching(self, watched: Sequence[Ref], bindings: Bindings) -> dict[str, WatchHandler]:
        """Compile a second `process` for each table, which reads names as well: see `Reactor.watch`.

        Returns table → its function. What `process` itself runs is not touched.
        """
        source = Source()
        tables = {**self.layout.config.tables, OTHER_TABLE: Table(OTHER_TABLE)}
        for table, number in self._numbers.items():
            TableWriter(source, self.layout, tables[table]).write_process(f"watch_{number}", number, watched)
            source.add("", "")
        space = _loaded(source, bindings)
        return {table: space[f"watch_{number}"] for table, number in self._numbers.items()}

    def bind(self, bindings: Bindings) -> Functions:
        """Compile the text and return its functions, which work on what `bindings` names."""
        space = _loaded(self._source, bindings)
        return Functions(
            {table: space[f"process_{number}"] for table, number in self._numbers.items()},
            {table: space[f"evaluate_{number}"] for table, number in self._numbers.items()},
            {table: space[f"time_{number}"] for table, number in self._numbers.items()},
            {table: space[f"identifiers_{number}"] for table, number in self._numbers.items()},
            space["offers_of"],
            space["parts_of"],
        )


def _loaded(source: Source, bindings: Bindings) -> dict[str, Any]:
    """Return the namespace of a text that was compiled and bound."""
    names: dict[str, Any] = {field: getattr(bindings, field) for field in bindings.__struct_fields__}
    names.update({f"index_{k}": index.get for k, index in enumerate(names.pop("indexes"))})
    return load(source.text(), {**source.globals, **names, "ABSENT": ABSENT, "NULL": NULL})
