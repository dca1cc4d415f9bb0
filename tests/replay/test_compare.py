"""Two configs over one history: what is gained, lost and changed, by whom, and the criterion that flipped."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import date
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import reactor
from reactor.replay import simulate
from reactor.replay.comparison import Comparison, compare
from reactor.testing.histories import Times, make_event
from reactor.testing.strategies import make_config

from .shop import CONFIG, VIEWS, order, view

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


def changed(**sections: Any) -> dict[str, Any]:
    """Return the shop with some sections' entries replaced, by name with `_` for a blank; None drops one."""
    config = copy.deepcopy(CONFIG)
    for name, entries in sections.items():
        for group in config["personalizations"].values():
            section = group["sections"].get(name.replace("_", " "))
            if section is not None and entries is None:
                del group["sections"][name.replace("_", " ")]
            elif section is not None:
                section.update(entries)
    return config


def rows(found: Comparison, *names: str) -> list[tuple[object, ...]]:
    """Return columns of the examples."""
    return list(found.examples.select(*names).rows())


def flips(found: Comparison) -> list[tuple[object, ...]]:
    """Return (section, change, event, clause, criteria, truths) of the examples."""
    return rows(
        found, "section", "change", "event", "clause", "criterion_a", "truth_a", "criterion_b", "truth_b"
    )


def test_the_same_config_differs_in_nothing() -> None:
    found = compare(CONFIG, CONFIG, VIEWS, table="web.views")
    assert (found.offers.height, found.examples.height, found.differs) == (0, 0, False)
    assert found.summary()["offers"] == {"same": 3, "gained": 0, "lost": 0, "changed": 0}
    assert repr(found) == "Comparison(0 offers differ)"


def test_gained_and_lost_with_the_leaf_that_flipped() -> None:
    found = compare(CONFIG, changed(Hello={"when": "views = 2"}), VIEWS, table="web.views")
    assert found.offers["event", "section", "change", "attributes_a", "attributes_b"].rows() == [
        (0, "Hello", "lost", '{"views":1}', None),
        (1, "Hello", "lost", '{"views":1}', None),
        (2, "Hello", "gained", None, '{"views":2}'),
    ]
    assert flips(found) == [
        ("Hello", "lost", 0, "when", "views = 1", "true", "views = 2", "false"),
        ("Hello", "lost", 1, "when", "views = 1", "true", "views = 2", "false"),
        ("Hello", "gained", 2, "when", "views = 1", "false", "views = 2", "true"),
    ]
    assert rows(found, "values_a", "values_b")[2] == ('{"views":2}', '{"views":2}')
    section = found.sections.row(0, named=True)
    expected = {"offers_a": 2, "offers_b": 1, "gained": 1, "lost": 2, "changed": 0}
    expected |= {"profiles_a": 2, "profiles_b": 1, "frequency_a": 1.0, "frequency_b": 1.0, "only_in": None}
    assert {name: section[name] for name in expected} == expected
    assert found.days.filter(section="Hello").rows() == [
        (date(1970, 1, 1), "Hello", 1, 0, 0, 1, 0),
        (date(1970, 1, 2), "Hello", 1, 0, 0, 1, 0),
        (date(1970, 1, 3), "Hello", 0, 1, 1, 0, 0),
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # One leaf of two: the other is silent.
        (
            "views >= 2 AND cookie IS NOT NULL",
            "views >= 1 AND cookie IS NOT NULL",
            [("when", "views >= 2", "false", "views >= 1", "true")],
        ),
        # A leaf that is dropped, or added.
        ("views >= 1 AND spend > 5", "views >= 1", [("when", "spend > 5", "false", None, None)]),
        ("views > 7", "views > 7 OR spend = 0", [("when", None, None, "spend = 0", "true")]),
        # Below NOT a true leaf is what stood in the way.
        ("NOT (views = 1 OR views = 9)", "NOT views = 9", [("when", "views = 1", "true", None, None)]),
        # The same leaves, joined in another way.
        (
            "views = 1 AND spend > 5",
            "views = 1 OR spend > 5",
            [("when", "views = 1 AND spend > 5", "false", "views = 1 OR spend > 5", "true")],
        ),
        # Unknown is not false.
        ("tier = 'gold'", "tier IS NULL", [("when", "tier = 'gold'", "unknown", "tier IS NULL", "true")]),
    ],
)
def test_flips(before: str, after: str, expected: list[tuple[object, ...]]) -> None:
    """Which leaf made the difference, for every way in which two conditions can differ."""
    found = compare(
        changed(Hello={"when": before}), changed(Hello={"when": after}), VIEWS[:1], table="web.views"
    )
    assert [flip[3:] for flip in flips(found)] == expected


def test_a_flip_in_where_in_a_key_event_and_in_an_attribute() -> None:
    """The same text can come to another truth, where what it reads is defined otherwise."""
    where = compare(
        changed(Hello={"where": "page = '/x'"}),
        changed(Hello={"where": "page = '/'"}),
        VIEWS,
        table="web.views",
    )
    assert flips(where)[0][3:] == ("where", "page = '/x'", "true", "page = '/'", "false")
    narrow = copy.deepcopy(CONFIG)
    narrow["key_events"]["view"] = {"table": "web.views", "where": "page <> '/x'"}
    event = compare(CONFIG, narrow, VIEWS, table="web.views")
    assert ("Hello", "lost", 0, "on view", "TRUE", "true", "page <> '/x'", "false") in flips(event)
    assert ("Hello", "gained", 2, "when", "views = 1", "false", "views = 1", "true") in flips(event)
    assert rows(event, "values_a", "values_b")[-1] == ('{"views":2}', '{"views":1}')


def test_a_changed_payload_names_its_outputs() -> None:
    after = changed(Thanks={"payload": {"attributes": {"spend": "spend * 2", "big": "generous"}}})
    found = compare(CONFIG, after, [order("a@x", 0, 5)], table="web.orders")
    assert found.offers["change"].to_list() == ["changed"]
    assert rows(found, "clause", "criterion_a", "criterion_b", "values_a", "values_b") == [
        ("payload", "spend", "spend", '{"spend":5}', '{"spend":10}'),
        ("payload", "tier", None, '{"tier":null}', None),
        ("payload", None, "big", None, '{"big":false}'),
    ]


def test_the_order_of_a_payload_makes_no_difference() -> None:
    after = changed(Thanks={"payload": {"attributes": {"tier": "tier", "spend": "spend"}}})
    assert compare(CONFIG, after, [order("a@x", 0, 5)], table="web.orders").offers.height == 0


def test_a_section_that_only_one_has() -> None:
    found = compare(CONFIG, changed(Hello=None), VIEWS, table="web.views")
    assert found.sections["section", "only_in"].rows()[0] == ("Hello", "a")
    assert flips(found)[0][3:] == ("section", None, None, "not in this config", None)
    summary = found.summary()
    assert (summary["only_in_a"], summary["only_in_b"], summary["differs"]) == (["Hello"], [], True)
    never = compare(CONFIG, changed(Big=None), VIEWS, table="web.views")
    assert (never.offers.height, never.differs) == (0, True)


def test_other_keys_are_other_profiles_and_events_align_by_number() -> None:
    """Without the e-mail a and b stay two: offers pair up by event, though no rid is the same."""
    alone = copy.deepcopy(CONFIG)
    del alone["identity"]["lookup_key"]
    alone["identity"] = {"keys": {"cookie": {}}, "secret": "another"}
    for name in ("tier", "since", "tags"):
        del alone["attributes"][name]
    alone["personalizations"]["desk"]["sections"]["Thanks"]["payload"] = {"attributes": {"spend": "spend"}}
    events = [view("a", 0, email="e"), view("b", 1, email="e"), view("a", 2), view("b", 3)]
    found = compare(CONFIG, alone, events, table="web.views", audience="private")
    identity = found.summary()["identity"]
    assert identity == {"keys_only_in_a": ["email"], "keys_only_in_b": [], "split": 1, "joined": 0}
    assert found.offers["event", "section", "change"].rows() == [
        (1, "Hello", "gained"),
        (1, "You saw", "lost"),
        (2, "You saw", "gained"),
        (3, "You saw", "gained"),
    ]
    assert flips(found)[0][3:] == ("when", "views = 1", "false", "views = 1", "true")
    back = compare(alone, CONFIG, events, table="web.views").summary()["identity"]
    assert (back["keys_only_in_b"], back["split"], back["joined"]) == (["email"], 0, 1)


def test_a_public_audience_sees_truths_and_no_sensitive_value() -> None:
    """Not in any table, nor in the summary: neither an attribute's nor an identifier's."""
    before, after = (
        changed(You_saw={"when": f"last_page = '{page}' AND cookie = 'secret-a'"}) for page in ("/x", "/y")
    )
    events = [view("secret-a", 0, "/y")]
    found = compare(before, after, events, table="web.views")
    assert flips(found) == [
        ("You saw", "gained", 0, "when", "last_page = '/x'", "false", "last_page = '/y'", "true")
    ]
    assert rows(found, "values_a", "values_b") == [(None, None)]
    tables = [found.offers, found.sections, found.days]
    text = json.dumps([frame.write_json() for frame in tables]) + json.dumps(found.summary(), default=str)
    assert "/y" not in text
    assert "secret-a" not in text
    private = compare(before, after, events, table="web.views", audience="private")
    assert rows(private, "values_a", "values_b") == [('{"last_page":"/y"}', '{"last_page":"/y"}')]


def test_what_can_be_read_only_once() -> None:
    """A generator, and a reader of record batches: both sides get all of it."""

    def events() -> Iterator[dict[str, object]]:
        yield from VIEWS

    expected = compare(CONFIG, changed(Hello=None), VIEWS, table="web.views")
    table = pl.DataFrame(VIEWS).to_arrow()
    for source in (events(), table.to_reader(), {"web.views": [table, table.slice(0, 0)]}):
        found = compare(CONFIG, changed(Hello=None), source, table="web.views")
        assert found.offers.equals(expected.offers, null_equal=True)


def test_arguments() -> None:
    with pytest.raises(reactor.ReactorError, match=r"^examples: expected a number of examples"):
        compare(CONFIG, CONFIG, VIEWS, table="web.views", examples=-1)
    none = compare(CONFIG, changed(Hello=None), VIEWS, table="web.views", examples=0)
    assert (none.examples.height, none.offers.height) == (0, 2)
    one = compare(CONFIG, changed(Hello=None), VIEWS, table="web.views", examples=1)
    assert one.examples["event"].to_list() == [0]
    assert reactor.compare is compare


def test_bad_rows_on_one_side_only() -> None:
    """An event that one config refuses is no event there; the example says so."""
    other = copy.deepcopy(CONFIG)
    other["tables"]["web.views"] = {"time": "seen"}
    events = [{**view("a", 0), "seen": 0}, {**view("a", 1), "seen": "soon"}]
    found = compare(CONFIG, other, events, table="web.views")
    assert flips(found) == [("You saw", "lost", 1, "event", None, None, "not among the events", None)]
    assert [found.summary()[side]["rejected"] for side in ("a", "b")] == [0, 1]


@given(st.integers(0, 2**32).map(Random))
@settings(max_examples=settings.default.max_examples // 12, phases=PHASES)
def test_the_counts_add_up(random: Random) -> None:
    """On random configs and histories: what is the same, gained, lost and changed is all that was offered.

    Every example has a reason, and its two sides are not alike. Would catch a row lost in a join, a
    change that is counted twice, and a flip that is none.
    """
    times = Times(random)
    drawn = [make_event(random, times.draw(), junk=0.05) for _ in range(25)]
    events = [{**event, "of": table} for table, event in drawn]
    a, b = make_config(random), make_config(random)
    if random.random() < 0.5:
        b = {
            **a,
            "personalizations": b["personalizations"],
            "attributes": {**b["attributes"], **a["attributes"]},
        }  # type: ignore[dict-item]
        try:
            reactor.Config.parse(b)
        except reactor.ConfigError:
            b = make_config(random)
    found = compare(a, b, events, table_column="of", audience="private")
    sides = [simulate(config, events, table_column="of", audience="private").offers for config in (a, b)]
    counts = found.summary()["offers"]
    assert counts["same"] + counts["lost"] + counts["changed"] == sides[0].height
    assert counts["same"] + counts["gained"] + counts["changed"] == sides[1].height
    keys = [set(side["event", "section"].iter_rows()) for side in sides]
    by_change = {
        name: set(found.offers.filter(change=name)["event", "section"].iter_rows())
        for name in ("gained", "lost", "changed")
    }
    assert by_change["gained"] == keys[1] - keys[0]
    assert by_change["lost"] == keys[0] - keys[1]
    assert by_change["changed"] <= keys[0] & keys[1]
    assert found.days.select(pl.sum("offers_a", "offers_b")).row(0) == (sides[0].height, sides[1].height)
    assert found.sections.select(pl.sum("offers_a", "offers_b")).row(0) == (sides[0].height, sides[1].height)
    for row in found.examples.iter_rows(named=True):
        assert row["clause"], row["section"]
        pair = [(row[f"criterion_{side}"], row[f"truth_{side}"], row[f"values_{side}"]) for side in "ab"]
        assert pair[0] != pair[1]
    shown = set(found.examples["section", "change"].iter_rows())
    assert shown == set(found.offers["section", "change"].iter_rows())
