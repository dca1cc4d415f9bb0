"""An explanation gives the offers that `process` then gives, and changes nothing."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor import EventError, Reactor, ReactorError
from reactor.explain import Explanation
from reactor.testing.histories import CLIENTS, CUSTOMERS, MAILS, Times, make_event, make_rows
from reactor.testing.strategies import Choice, make_config

SEEDS = st.integers(0, 2**32)
FEW = settings(max_examples=max(settings.default.max_examples // 5, 10))


def check_event(
    engine: Reactor, table: str, event: dict[str, Any], path: Path, **options: Any
) -> Explanation | None:
    """Explain an event, then process it; compare what both say, and the snapshots around the explanation."""
    engine.snapshot(path)
    before = path.read_bytes()
    refusal = explained = None
    try:
        explained = engine.explain(event, table, **options)
    except EventError as error:
        refusal = str(error)
    engine.snapshot(path)
    assert path.read_bytes() == before
    engine.check()
    try:
        outcome = engine.process(event, table, **options)
    except ReactorError as error:
        assert str(error) == refusal
        return None
    assert explained is not None, refusal
    assert explained.offers == outcome.offers
    assert list(explained.offers) == list(outcome.offers)
    assert explained.now_ms == outcome.now_ms
    matched = {why.name for why in explained.sections if why.matched}
    assert matched == set(outcome.offers)
    redacted = {why.name for why in explained.sections if why.verdict == "redacted"}
    assert redacted == {name for name, offer in outcome.offers.items() if offer == {}}
    check_text(explained)
    if not explained.identity.redacted:
        assert explained.identity.rid == outcome.rid
        changed = [
            row for row in outcome.id_changes if row["profile_change_type"] == "profile_deleted_by_stitching"
        ]
        absorbed = [each.rid for each in explained.identity.profiles or () if not each.survives]
        assert [row["current_rid"] for row in changed] == absorbed
    return explained


def check_text(explained: Explanation) -> None:
    """The text fits 80 columns but for words that are longer, and obeys no terminal; the JSON reads back."""
    for line in explained.text().splitlines():
        assert line.isprintable()
        words = line.split()
        assert len(line) <= 80 or max(map(len, words)) > 40, line
    assert msgspec.json.decode(explained.json())["now"] == explained.now


def drawn(random: Random, path: Path, steps: int = 14) -> None:
    """Run a random history on a random config."""
    config = make_config(random, Choice(idle=True))
    if random.random() < 0.1:
        config["limits"] |= {
            "profiles": random.choice([1, 2, 3]),
            "when_full": random.choice(["evict", "refuse"]),
        }  # type: ignore[operator]
    engine = Reactor(config)
    times = Times(random)
    for _ in range(steps):
        if random.random() < 0.15:
            engine.import_batch(make_rows(random, lookup_key=engine.config.lookup_key or ""))
        table, event = make_event(random, None if random.random() < 0.05 else times.draw())
        options: dict[str, Any] = {"audience": random.choice(["public", "private"])}
        if random.random() < 0.4:
            options["now"] = (times.now_ms + random.choice([-100, 0, 3_600_000, 86_400_000])) / 1000
        check_event(engine, table, event, path, **options)
        if random.random() < 0.3:
            check_read(engine, random, options)


def check_read(engine: Reactor, random: Random, options: dict[str, Any]) -> None:
    """Explain a read; compare it with the read."""
    keys = dict(
        random.sample(
            [
                ("client", random.choice(CLIENTS)),
                ("mail", random.choice(MAILS)),
                ("customer", random.choice(CUSTOMERS)),
            ],
            random.randint(1, 2),
        )
    )
    outcome = engine.offers(keys, **options)
    explained = engine.explain(keys=keys, **options)
    assert explained.offers == outcome.offers
    assert {why.name for why in explained.sections if why.matched} == set(outcome.offers)


@FEW
@given(SEEDS)
def test_explained_offers_are_those_of_process(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """On random configs and histories: offers, rid, reading time and refusals; no byte of a snapshot changes.

    Would catch: a dry run that merges, evicts or expires otherwise, a `before.X` read too late, a
    verdict that differs from the engine's, a column read unlike the generated code reads it.
    """
    drawn(Random(seed), tmp_path_factory.getbasetemp() / "state")


def test_a_clock_is_read_once_a_call() -> None:
    """An explanation is as of one time: a clock that goes on does not part its offers from its reasons."""
    ticks = iter(range(1_700_000_000, 1_700_100_000, 40))
    engine = Reactor(
        {
            "version": 1,
            "name": "clock",
            "identity": {"keys": {"c": {}}},
            "key_events": {"see": "t"},
            "attributes": {
                "last": {"type": "single", "on": "see", "value": "v", "dtype": "string", "ttl": "5m"}
            },
            "personalizations": {
                "p": {"sections": {"s": {"when": "last IS NOT NULL", "payload": {"strings": {"a": "b"}}}}}
            },
        },
        clock=lambda: next(ticks),
    )
    engine.process({"c": "1", "v": "x"})
    seen = set()
    for _ in range(10):
        why = engine.explain(keys={"c": "1"})
        assert why.section("s").matched == ("s" in why.offers)
        seen.add(why.section("s").matched)
        after = engine.explain({"c": "1"})
        assert after.section("s").matched == ("s" in after.offers)
    assert seen == {True, False}


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((), {}, "keys: expected either keys or rid"),
        (
            ({"c": "1", "time": 1},),
            {"keys": {"c": "1"}},
            "keys: expected an event, or keys or rid for a read",
        ),
        (({"c": "1", "time": 1},), {"audience": "all"}, 'audience: expected "public" or "private"'),
        (({"c": "1"},), {}, "time: expected a time, got none"),
    ],
)
def test_what_can_not_be_explained(arguments: Any, options: Any, message: str) -> None:
    """The errors are those of `process` and `offers`."""
    engine = Reactor(
        {
            "version": 1,
            "name": "plain",
            "identity": {"keys": {"c": {}}},
            "key_events": {"see": "t"},
            "personalizations": {"p": {"sections": {"s": {"payload": {"strings": {"a": "b"}}}}}},
        }
    )
    with pytest.raises(EventError) as caught:
        engine.explain(*arguments, **options)
    assert str(caught.value).startswith(message)
