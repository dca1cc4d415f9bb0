"""The funnel of a section over a history: how many events pass each leaf, and what stops the others.

The history runs on an engine whose config has one probe in place of the sections: it matches what
the section's key events match, and its payload is the truth of every leaf. So each leaf is asked
as the engine asks it, at the speed of the engine. Events are tallied by the truths of all leaves
together; there are few such combinations, and everything else is reckoned from them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from reactor.errors import EventError, ReactorError, did_you_mean
from reactor.explain.funnel import Funnel, LeafCount, Near, Step
from reactor.explain.probe import Probe
from reactor.explain.tree import Truth3
from reactor.frames import Source
from reactor.payload import Audience
from reactor.replay.options import Events, Options, Progress, options
from reactor.replay.run import Replay
from reactor.spec import Config
from reactor.spec.model import Section

SHARES: Final = (0.1, 0.25, 0.5, 0.75)  # of the events that one leaf alone stops, for near misses
_STEP: Final = 500  # events between two reports of progress


def funnel(
    config: str | os.PathLike[str] | Mapping[str, Any] | Config,
    events: Events,
    section: str,
    *,
    table: str | None = None,
    table_column: str | None = None,
    batch: Source | None = None,
    audience: Audience = "public",
    since: object = None,
    until: object = None,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Funnel:
    """Replay a history and count, for one section, what each leaf of its criteria lets through.

    config, events, table, table_column, batch, since, until, limit: as for `simulate`.
    audience: for the public one, leaves that tell of a sensitive value are redacted.
    Raises ReactorError for a section the config does not have; else as `simulate` does.
    Cost: about that of `simulate`; benchmark `funnel`.
    """
    chosen = options(
        table=table,
        table_column=table_column,
        audience=audience,
        since=since,
        until=until,
        limit=limit,
    )
    replay = Replay(config, events, chosen, batch=batch)
    return funnel_of(replay, section, chosen, progress)


def funnel_of(replay: Replay, name: str, chosen: Options, progress: Progress | None = None) -> Funnel:
    """As `funnel`, over a history that has been read."""
    section = _section(replay.config, name)
    probes = [Probe(section, key_event, replay.config) for key_event in section.on or (None,)]
    tally = _Tally(probes)
    probing = msgspec.structs.replace(replay.config, sections=tuple(probe.section for probe in probes))
    since_ms = chosen.since_ms
    engine, total = replay.engine(probing), len(replay)
    for done, event in enumerate(replay.planned()):
        if progress is not None and done % _STEP == 0:
            progress(done, total)
        try:
            if since_ms is not None and event.time_ms < since_ms:
                engine.ingest(event.event, event.table)
            else:
                tally.take(engine.process(event.event, event.table, audience="private").offers)
        except EventError:
            continue  # a simulation lists it among its rejects
    if progress is not None:
        progress(total, total)
    return tally.result(section, chosen.audience)


def _section(config: Config, name: str) -> Section:
    for section in config.sections:
        if section.name == name:
            return section
    names = [section.name for section in config.sections]
    hint = did_you_mean(name, names) or f"its sections: {', '.join(names)}"
    raise ReactorError(f'section: the config has no section "{name}" ({hint})')


class _Tally:
    """Counts events by the truths of their leaves, and keeps the distances of near misses."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self._probes = probes
        self._counts: list[Counter[tuple[Any, ...]]] = [Counter() for _ in probes]
        self._alone: list[dict[tuple[Any, ...], dict[int, Truth3]]] = [{} for _ in probes]
        self._misses: dict[tuple[tuple[str, str], bool], list[float]] = {}

    def take(self, offers: Mapping[str, Any]) -> None:
        """Count one event by what its probe answers."""
        # The key event that counts is the first of the section's, and so is the first probe to answer.
        for place, probe in enumerate(self._probes):
            offer = offers.get(probe.name)
            if offer is None:
                continue
            values = tuple(offer["attributes"].values())
            truths = values[: probe.leaf_count]
            self._counts[place][truths] += 1
            alone = self._alone[place].get(truths)
            if alone is None:
                alone = self._alone[place][truths] = probe.alone(truths)
            for leaf, wanted in alone.items():
                miss = None if wanted is None else probe.miss(leaf, values)
                if miss is not None:
                    self._misses.setdefault((probe.key(leaf), wanted is True), []).append(miss)
            return

    def result(self, section: Section, audience: Audience) -> Funnel:
        """Return what came together."""
        is_hiding = audience == "public" and any(probe.is_sensitive for probe in self._probes)
        events = sum(sum(counts.values()) for counts in self._counts)
        offered = sum(
            number
            for probe, counts in zip(self._probes, self._counts, strict=True)
            for truths, number in counts.items()
            if probe.matches(truths)
        )
        return Funnel(
            section=section.name,
            audience=audience,
            on=section.on,
            events=events,
            offered=offered,
            steps=() if is_hiding else tuple(self._steps()),
            leaves=tuple(self._leaves(is_hiding=is_hiding)),
        )

    def _steps(self) -> Iterator[Step]:
        """Yield how many events are left after each condition that all must pass, in order.

        A `where` of one key event lets the events of the others through.
        """
        every = [step for probe in self._probes for step in probe.steps]
        passed = {(step.criterion, step.text): 0 for step in every if step.criterion == "where"}
        passed.update({(step.criterion, step.text): 0 for step in every if step.criterion == "when"})
        for probe, counts in zip(self._probes, self._counts, strict=True):
            own = {(step.criterion, step.text): step for step in probe.steps}
            for truths, number in counts.items():
                is_left = True
                for key in passed:
                    is_left = is_left and (key not in own or own[key].holds(truths))
                    passed[key] += number if is_left else 0
        for (criterion, text), number in passed.items():
            yield Step(criterion, text, number)

    def _leaves(self, *, is_hiding: bool) -> Iterator[LeafCount]:
        found: dict[tuple[str, str], Counter[Any]] = {}
        secret: set[tuple[str, str]] = set()
        for place, (probe, counts) in enumerate(zip(self._probes, self._counts, strict=True)):
            for leaf in range(probe.leaf_count):
                key = probe.key(leaf)
                mine = found.setdefault(key, Counter())
                if probe.leaves[leaf].sensitive:
                    secret.add(key)
                for truths, number in counts.items():
                    mine[truths[leaf]] += number
                    if leaf in self._alone[place][truths]:
                        mine["alone"] += number
        for key, mine in found.items():
            criterion, text = key
            if is_hiding and key in secret:
                yield LeafCount(criterion, text, redacted=True)
                continue
            near = () if is_hiding else (*self._near(key, True), *self._near(key, False))
            alone = None if is_hiding else mine["alone"]
            yield LeafCount(criterion, text, mine[True], mine[False], mine[None], alone, near)

    def _near(self, key: tuple[str, str], wanted: bool) -> Iterator[Near]:
        """Yield by how much a bound would have to move for a share of what it alone stops to pass."""
        misses = sorted(self._misses.get((key, wanted), ()))
        probe, leaf = next(
            (probe, leaf)
            for probe in self._probes
            for leaf in range(probe.leaf_count)
            if probe.key(leaf) == key
        )
        last = None
        for share in SHARES:
            by = misses[min(len(misses) - 1, int(share * len(misses)))] if misses else None
            if by is None or by == last:
                continue
            last = by
            moved = probe.moved(leaf, wanted, by)
            more = sum(probe.passes(leaf, wanted, miss, by) for miss in misses)
            if moved is not None and more:
                yield Near(moved, probe.amount(leaf, by), more)
