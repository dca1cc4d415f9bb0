"""The values just before each event: what `before.X` reads, whatever the config and the history."""

from __future__ import annotations

from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from reactor import Reactor
from reactor.plan import parts_of
from reactor.replay import Options, Replay, Results, simulate
from reactor.spec import load_config
from reactor.testing.histories import Times, make_event, make_rows
from reactor.testing.strategies import Choice, make_config

from .shop import CONFIG, VIEWS, order, view

# A failing draw is a seed, which has nothing to be made smaller.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


def history(random: Random, count: int) -> list[dict[str, Any]]:
    """Draw events of all tables, each with its table in a column."""
    times = Times(random)
    drawn = [make_event(random, times.draw(), junk=0.05) for _ in range(count)]
    return [{**event, "of": table} for table, event in drawn]


def asking(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config with one more section, which answers every event with `before.P` of every part P."""
    parts = [part.name for part in parts_of(load_config(config))]
    payload = {"attributes": {f"o{place}": f"before.{name}" for place, name in enumerate(parts)}}
    everything = {"all of it": {"sections": {"everything": {"payload": payload}}}}
    return {**config, "personalizations": {**config["personalizations"], **everything}}


def replayed(config: dict[str, Any], events: Any, batch: Any = None, **wanted: bool) -> Results:
    """Replay for a private audience."""
    options = Options(table_column="of", audience="private")
    return Replay(config, events, options, batch=batch).run(**wanted)  # type: ignore[arg-type]


@given(st.integers(0, 2**32).map(Random))
@settings(max_examples=settings.default.max_examples // 8, phases=PHASES)
def test_before_is_what_a_payload_reads_as_before(random: Random) -> None:
    """For every part P, attributes_before.P is a payload's before.P, on random configs and histories.

    Would catch a value read too late or too early, at another reading time, or of another profile;
    and code that is generated for watching and answers otherwise than `process`.
    """
    config = make_config(random, Choice(idle=True))
    events, batch = history(random, 25), make_rows(random, lookup_key=str(config["identity"]["lookup_key"]))  # type: ignore[index]
    chosen = Options(table_column="of", audience="private", engine=random.choice(["auto", "live"]))
    asked = Replay(asking(config), events, chosen, batch=batch)
    results = asked.run(attributes=True, attributes_before=True)
    assert results.attributes is not None
    assert results.attributes_before is not None
    section = next(each for each in asked.config.sections if each.name == "everything")
    from reactor.replay.sections import section_frame

    payloads = section_frame(results.offers, section)
    before = results.attributes_before
    assert payloads["event"].equals(before["event"])
    for place, name in enumerate(before.columns[4:]):
        expected = payloads[f"o{place}"].cast(before[name].dtype)
        assert before[name].to_list() == expected.to_list(), name
    plain = replayed(config, events, batch, attributes=True)
    both = replayed(config, events, batch, attributes=True, attributes_before=True)
    assert both.offers.equals(plain.offers)
    assert both.id_changes.equals(plain.id_changes)
    assert both.attributes is not None and plain.attributes is not None
    assert both.attributes.equals(plain.attributes, null_equal=True)


@given(st.integers(0, 2**32).map(Random), st.integers(1, 24))
@settings(max_examples=settings.default.max_examples // 12, phases=PHASES)
def test_what_comes_later_changes_nothing(random: Random, kept: int) -> None:
    """Drop all events after any one: the rows of those that are left stay what they were.

    A history in order of time, so that a prefix is the past. Would catch a look into the future.
    """
    config = make_config(random)
    events = history(random, 25)
    numbered = Replay(config, events, Options(table_column="of"))
    order_of = [planned.number for planned in numbered._history.events()]
    in_order = [events[number] for number in order_of]
    kept = min(kept, len(in_order))
    for name in ("attributes", "attributes_before"):
        whole = getattr(replayed(config, in_order, **{name: True}), name)
        part = getattr(replayed(config, in_order[:kept], **{name: True}), name)
        assert part.drop("rid").equals(whole.head(part.height).drop("rid"), null_equal=True)
        assert part["rid"].to_list() == whole["rid"].head(part.height).to_list()


def test_the_table() -> None:
    """The same columns as `attributes`, one event behind; a merge brings what both had."""
    events = [*VIEWS, view("b", 3, email="x@x"), view("a", 4, email="x@x")]
    run = simulate(CONFIG, events, table="web.views", audience="private")
    assert run.attributes_before.schema == run.attributes.schema
    assert run.attributes_before["event", "views", "last_page"].rows() == [
        (0, 0, None),
        (1, 0, None),
        (2, 1, "/x"),
        (3, 1, "/"),
        (4, 4, "/"),
    ]
    assert run.attributes["views"].to_list() == [1, 1, 2, 2, 5]
    assert run.attributes_before is run.attributes_before


def test_a_public_audience_sees_no_sensitive_column() -> None:
    run = simulate(CONFIG, VIEWS, table="web.views")
    assert "last_page" not in run.attributes_before.columns


def test_events_before_since_and_events_of_nobody() -> None:
    """The former give no row, the latter that of an empty profile."""
    events = [*VIEWS, {"page": "/", "time": 3 * 86_400}]
    run = simulate(CONFIG, events, table="web.views", since="1970-01-02")
    assert run.attributes_before["event", "rid", "views"].rows()[1:] == [
        (2, run.attributes["rid"][1], 1),
        (3, None, 0),
    ]


def test_a_table_the_config_does_not_name_and_a_refused_event() -> None:
    """Both as without watching: counted by its name; one bad row, and the state as it was."""
    events = [view("a", 0, of="web.views"), {"cookie": "a", "time": 5, "of": "web.other"}]
    events.append({"cookie": "a", "time": 6, "of": "web.views", "page": "/", "x" * 5: "y" * 1_000_001})
    plain, watched = replayed(CONFIG, events), replayed(CONFIG, events, attributes_before=True)
    assert plain.summary == watched.summary
    assert watched.rejects.equals(plain.rejects)


def test_the_order_of_inputs() -> None:
    events = [order("a@x", 5, 100), order("a@x", 4, 20)]
    run = simulate(CONFIG, events, table="web.orders")
    assert run.attributes_before["event", "spend"].rows() == [(0, 20.0), (1, 0.0)]


def test_watching_takes_an_audience_and_a_table() -> None:
    engine = Reactor(CONFIG)
    watched = engine.watch([])
    outcome, values = watched(VIEWS[0], "web.views")
    assert (list(outcome.offers), values) == (["Hello"], ())
    with pytest.raises(ValueError, match=r"^audience: "):
        watched(VIEWS[0], "web.views", audience="nobody")  # type: ignore[arg-type]
    assert engine.stats()["events"]["web.views"] == 1


def test_joined_into_a_training_set() -> None:
    """A label by event number: the frame holds nothing of the event that is to be foretold."""
    events = [view("a", day) for day in range(4)]
    run = simulate(CONFIG, events, table="web.views")
    labels = pl.DataFrame({"event": [2, 3], "bought": [False, True]})
    assert labels.join(run.attributes_before, on="event")["event", "views", "bought"].rows() == [
        (2, 2, False),
        (3, 3, True),
    ]
