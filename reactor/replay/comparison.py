"""`compare`: two configs over one history, and what they offer differently."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from reactor.errors import ReactorError
from reactor.frames import Source, is_table
from reactor.payload import Audience
from reactor.replay.differences import (
    by_day,
    by_section,
    differences,
    identity_summary,
    side_summary,
    totals,
)
from reactor.replay.flips import Explained, chosen, examples, explained
from reactor.replay.options import Engine, Events, Progress, Results, options
from reactor.replay.run import Replay
from reactor.spec import Config

EXAMPLES = 3


def compare(
    config_a: str | os.PathLike[str] | Mapping[str, Any] | Config,
    config_b: str | os.PathLike[str] | Mapping[str, Any] | Config,
    events: Events,
    *,
    table: str | None = None,
    batch: Source | None = None,
    audience: Audience = "public",
    since: object = None,
    until: object = None,
    limit: int | None = None,
    time: str | None = None,
    table_column: str | None = None,
    strict: bool = False,
    engine: Engine = "auto",
    examples: int = EXAMPLES,
) -> Comparison:
    """Replay a history against two configs; return what the second offers differently.

    config_a, config_b: what is, and what may come; each a path, a mapping or a Config.
    examples: how many for each section and change. All else is as for `simulate`.
    Raises as `simulate` does. Cost: two replays; the examples cost two more, when they are asked for.

    >>> def config(least):
    ...     return {
    ...         "version": 1, "name": "shop", "identity": {"keys": {"id": {}}},
    ...         "key_events": {"order": "shop.orders"},
    ...         "attributes": {"spend": {"type": "total", "on": "order", "increment": "amount"}},
    ...         "personalizations": {"page": {"sections": {"Thanks": {
    ...             "on": "order", "when": f"spend >= {least}", "payload": {"strings": {"text": "Hi"}}}}}},
    ...     }
    >>> events = [{"id": "a", "amount": 80, "time": 0}, {"id": "a", "amount": 80, "time": 60}]
    >>> found = compare(config(100), config(50), events)
    >>> found.offers["event", "section", "change"].rows()
    [(0, 'Thanks', 'gained')]
    >>> found.examples["criterion_a", "truth_a", "criterion_b", "truth_b"].rows()
    [('spend >= 100', 'false', 'spend >= 50', 'true')]
    """
    asked = options(
        table=table,
        table_column=table_column,
        time=time,
        audience=audience,
        since=since,
        until=until,
        limit=limit,
        strict=strict,
        engine=engine,
    )
    events, batch = kept(events), None if batch is None else kept(batch)
    replays = tuple(Replay(config, events, asked, batch=batch) for config in (config_a, config_b))
    return Comparison(replays[0], replays[1], replays[0].run(), replays[1].run(), examples=examples)


class Comparison:
    """What two configs offer over one history: a is what is, b what may come.

    Offers are aligned by the number of their event and the name of their section.
    offers: polars frame with a row for each that differs. sections, days: frames of counts.
    """

    def __init__(
        self, replay_a: Replay, replay_b: Replay, a: Results, b: Results, *, examples: int = EXAMPLES
    ) -> None:
        if isinstance(examples, bool) or not isinstance(examples, int) or examples < 0:
            raise ReactorError("examples: expected a number of examples, got something else")
        self.results = a, b
        self._replays = replay_a, replay_b
        self._examples: pl.DataFrame | None = None
        self._explained: dict[str, dict[int, Explained]] = {}
        names = [section.name for replay in self._replays for section in replay.config.sections]
        order = list(dict.fromkeys(names))
        self.offers: pl.DataFrame = differences(a, b, order)
        self.sections: pl.DataFrame = by_section(a, b, self.offers, order)
        self.days: pl.DataFrame = by_day(a, b, self.offers)
        self._shown = chosen(self.offers, examples)

    @property
    def configs(self) -> tuple[Config, Config]:
        """The two configs."""
        return self._replays[0].config, self._replays[1].config

    @property
    def examples(self) -> pl.DataFrame:
        """Some of the offers that differ, with a row for each criterion that flipped.

        Replays both histories as far as the last of them when first asked for.
        """
        if self._examples is None:
            self._examples = examples(self._shown, (self.explain("a"), self.explain("b")))
        return self._examples

    def explain(self, side: str, progress: Progress | None = None) -> dict[int, Explained]:
        """Return the explanations of the examples' events on a side, `a` or `b`: what `examples` is made of.

        Both texts and values may be private. Replays the history when first asked for.
        """
        if side not in self._explained:
            replay = self._replays["ab".index(side)]
            differing = self._shown.filter(pl.col("change") != "changed")
            self._explained[side] = explained(replay, set(differing["event"].to_list()), progress)
        return self._explained[side]

    @property
    def differs(self) -> bool:
        """Whether anything differs: an offer, the sections there are, profiles or bad rows in number."""
        a, b = (side_summary(results) for results in self.results)
        counts = ("rows", "events", "rejected", "profiles", "without_identifier")
        return bool(
            self.offers.height
            or self.sections["only_in"].is_not_null().any()
            or any(a[name] != b[name] for name in counts)
        )

    def summary(self) -> dict[str, Any]:
        """Return the counts, as `--summary` writes them."""
        a, b = self.results
        sections = self.sections
        only = {f"only_in_{side}": sections.filter(only_in=side)["section"].to_list() for side in ("a", "b")}
        changes = totals(self.offers)
        same = a.offers.height - changes["lost"] - changes["changed"]
        return {
            "differs": self.differs,
            "audience": self._replays[0].options.audience,
            "a": side_summary(a),
            "b": side_summary(b),
            "offers": {"same": same, **changes},
            "sections": sections.to_dicts(),
            **only,
            "identity": identity_summary(a, b, self.configs),
        }

    def __repr__(self) -> str:
        return f"Comparison({self.offers.height} offers differ)"


def kept(events: Any) -> Any:
    """Return events that can be read twice: what can be read only once is read to its end.

    >>> kept(iter([{"id": "a"}]))
    [{'id': 'a'}]
    """
    if isinstance(events, Mapping):
        return {table: kept(source) for table, source in events.items()}
    if isinstance(events, str | os.PathLike | list | tuple):
        return (
            [kept(each) for each in events]
            if isinstance(events, list) and any(map(is_table, events))
            else events
        )
    if is_table(events):
        # A reader of batches is empty after its first reading; a frame costs nothing to hand over.
        once = hasattr(events, "__arrow_c_stream__") and not hasattr(events, "__len__")
        return pl.DataFrame(events) if once else events
    return list(events) if isinstance(events, Iterable) and not isinstance(events, bytes) else events
