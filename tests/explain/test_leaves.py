"""The slow walk, which explanations are made of, agrees with the emitted code on every single leaf."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor import EventError, Reactor
from reactor.explain import Node
from reactor.explain.probe import Probe
from reactor.testing.histories import Times, make_event, make_rows
from reactor.testing.strategies import Choice, make_config

SEEDS = st.integers(0, 2**32)
FEW = settings(max_examples=max(settings.default.max_examples // 5, 10))
TRUTHS = {True: "true", False: "false", None: "unknown"}


def leaf_truths(*trees: Node | None) -> dict[int, str | None]:
    """Return leaf → truth of the trees of a section."""
    found: dict[int, str | None] = {}
    stack = [tree for tree in trees if tree is not None]
    while stack:
        node = stack.pop()
        if node.leaf is not None:
            found[node.leaf] = node.truth
        stack.extend(node.nodes)
    return found


def compared(random: Random) -> int:
    """Run a random history on an engine and on one of probes; return how many leaves were compared."""
    engine = Reactor(make_config(random, Choice(idle=True)))
    probes = {
        probe.name: (section.name, probe)
        for number, section in enumerate(engine.config.sections)
        for probe in (renamed(Probe(section, name, engine.config), number) for name in section.on or (None,))
    }
    sections = tuple(probe.section for _, probe in probes.values())
    probing = Reactor(msgspec.structs.replace(engine.config, sections=sections))
    times, count = Times(random), 0
    for _ in range(10):
        if random.random() < 0.2:
            rows = make_rows(random, lookup_key=engine.config.lookup_key or "")
            engine.import_batch(rows)
            probing.import_batch(rows)
        table, event = make_event(random, times.draw())
        try:
            why = engine.explain(event, table, audience="private")
        except EventError:
            continue
        engine.process(event, table)
        offers: dict[str, Any] = probing.process(event, table, audience="private").offers
        for name, offer in offers.items():
            section, probe = probes[name]
            shown = why.section(section)
            if shown.key_event != (probe.section.on or (None,))[0]:
                continue  # another of its key events counts
            truths = list(offer["attributes"].values())[: probe.leaf_count]
            assert leaf_truths(shown.where, shown.when) == dict(enumerate(map(TRUTHS.get, truths))), section
            count += len(truths)
    return count


def renamed(probe: Probe, number: int) -> Probe:
    """Return a probe whose name tells its section."""
    probe.name = f"{number} {probe.name}"
    probe.section = msgspec.structs.replace(probe.section, name=probe.name)
    return probe


@FEW
@given(SEEDS)
def test_the_walk_and_the_emitted_code_agree_on_every_leaf(seed: int) -> None:
    """On random configs and histories: true, false and unknown alike.

    Would catch: a column or a name that explanations read unlike the generated code, a leaf whose
    three-valued forms differ, `before.` on the wrong side of an update.
    """
    compared(Random(seed))


def test_there_are_leaves_to_compare() -> None:
    """The law above is not empty."""
    assert sum(compared(Random(seed)) for seed in range(6)) > 50
