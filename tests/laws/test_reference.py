"""The reference model against histories worked out by hand: what the oracle itself is held to.

Each table reads: a history (seconds, event), a question, the answer. Windows are drawn where the
edge is the point.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reactor.errors import EventError
from reactor.spec import load_config
from reactor.testing.files import BatchStep, first_difference, read_tests
from reactor.testing.reference import Reference

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
BASE: dict[str, Any] = {
    "version": 1,
    "name": "small",
    "identity": {"lookup_key": "u", "keys": {"c": {}, "m": {"valid": "@"}, "u": {}, "k": {"internal": True}}},
    "key_events": {
        "see": "t",
        "buy": {"table": "t", "where": "kind = 'buy'"},
        "drop": {"table": "t", "where": "kind = 'drop'"},
        "clear": {"table": "t", "where": "kind = 'clear'"},
    },
}


def reference(attributes: Mapping[str, Any] | None = None, **more: Any) -> Reference:
    """Return a reference for BASE with these attributes."""
    imported = {"tier": {"type": "imported", "dtype": "string"}}
    return Reference(load_config({**BASE, "attributes": {**imported, **(attributes or {})}, **more}))


def after(
    attributes: Mapping[str, Any], *events: Mapping[str, Any], at: float | None = None
) -> dict[str, object]:
    """Return the parts of the profile c=1 after events that carry it, read at `at`."""
    engine = reference(attributes)
    for event in events:
        engine.process({"c": "1", **event}, table="t")
    profile = engine.profile({"c": "1"}, now=at)
    assert profile is not None
    return {name: value for name, value in profile.attributes.items() if name != "tier"}


def single(**options: Any) -> Mapping[str, Any]:
    """Return one single attribute of the column v."""
    return {"s": {"type": "single", "on": "see", "value": "v", "dtype": "string", **options}}


@pytest.mark.parametrize(
    ("story", "events", "at", "expected"),
    [
        ("the latest by event time", [(10, "a"), (20, "b"), (15, "c")], None, "b"),
        ("a tie goes to the later arrival", [(10, "a"), (10, "b")], None, "b"),
        ("null leaves it unchanged", [(10, "a"), (20, None)], None, "a"),
        ("a list leaves a text unchanged", [(10, "a"), (20, ["b"])], None, "a"),
        ("numbers in JSON's shortest form", [(10, 1.0)], None, "1"),
        ("large numbers as JavaScript writes them", [(10, 1e21)], None, "1e+21"),
        ("live just before its end", [(10, "a")], 69.999, "a"),
        ("gone at its end", [(10, "a")], 70, None),
    ],
)
def test_single(story: str, events: list[tuple[float, object]], at: float | None, expected: object) -> None:
    """A single holds the latest usable value for its ttl."""
    history = [{"time": time, "v": value} for time, value in events]
    assert after(single(ttl="1m"), *history, at=at) == {"s": expected}, story


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        ("number", "8700", 8700),
        ("number", " 12 ", None),
        ("number", True, None),
        ("boolean", "TRUE", True),
        ("boolean", "yes", None),
        ("boolean", 1, None),
        ("string", True, "true"),
        ("string", "\ud800", None),
        ("string", {"x": 1}, None),
        ("strings", "a", ["a"]),
        ("strings", ["a", 1, None, True], ["a", "1", "true"]),
        ("strings", ["a", ["b"]], None),
        ("numbers", [1, "2.5"], [1, 2.5]),
        ("numbers", [1, "x"], None),
        ("numbers", [], []),
    ],
)
def test_coercion(dtype: str, value: object, expected: object) -> None:
    """A single reads a column as its dtype, or leaves it."""
    assert after(single(dtype=dtype), {"time": 1, "v": value}) == {"s": expected}


def listed(**options: Any) -> Mapping[str, Any]:
    """Return one list of the column v, with the field p and every aggregation."""
    aggregations = {
        "all": {"distinct": "item"},
        "first": {"first": "item"},
        "last": {"last": "item"},
        "n": {"count": "item"},
        "sum": {"sum": "p"},
        "min": {"min": "p"},
        "max": {"max": "p"},
    }
    attribute = {"type": "list", "on": "buy", "item": "v", "fields": ["p"], "aggregations": aggregations}
    return {"l": {**attribute, "delete_on": "drop", "clear_on": "clear", **options}}


def history(*steps: tuple[float, str, object] | tuple[float, str, object, object]) -> list[dict[str, object]]:
    """Return events of (time, kind, v, p)."""
    return [dict(zip(("time", "kind", "v", "p"), step, strict=False)) for step in steps]


@pytest.mark.parametrize(
    ("story", "options", "steps", "items"),
    [
        ("by time, not arrival", {}, [(2, "buy", "b"), (1, "buy", "a")], ["a", "b"]),
        ("an array is many items", {}, [(1, "buy", ["a", "b", "a"])], ["a", "b"]),
        ("the newest two", {"max_items": 2}, [(3, "buy", "c"), (2, "buy", "b"), (1, "buy", "a")], ["b", "c"]),
        ("1 is 1.0 but not '1' or true", {}, [(1, "buy", [1, 1.0, "1", True])], [1, "1", True]),
        ("a delete hides what is not newer", {}, [(1, "buy", "a"), (3, "buy", "a"), (2, "drop", "a")], ["a"]),
        ("a delete of equal time hides", {}, [(2, "buy", "a"), (2, "drop", "a")], []),
        ("a delete reaches a late item", {}, [(2, "drop", "a"), (1, "buy", "a")], []),
        ("a delete of no value deletes nothing", {}, [(1, "buy", "a"), (2, "drop", None)], ["a"]),
        ("an array deletes each", {}, [(1, "buy", ["a", "b", "c"]), (2, "drop", ["a", "c"])], ["b"]),
        ("a clear reaches a late item", {}, [(2, "clear", None), (1, "buy", "a"), (3, "buy", "b")], ["b"]),
        (
            "a hidden item keeps its place",
            {"max_items": 2},
            [(1, "buy", "a"), (2, "buy", "b"), (3, "buy", "c"), (4, "drop", "c")],
            ["b"],
        ),
        (
            "the newest delete is remembered, the other forgotten",
            {"max_items": 1},
            [(5, "drop", "a"), (6, "drop", "b"), (1, "buy", "b"), (2, "buy", "a")],
            ["a"],
        ),
        (
            "what a forgotten delete hid stays hidden",
            {"max_items": 1},
            [(1, "buy", "a"), (5, "drop", "a"), (6, "drop", "b")],
            [],
        ),
        (
            "unique keeps the newest of a value",
            {"unique": True, "max_items": 2},
            [(1, "buy", "a"), (2, "buy", "b"), (3, "buy", "a"), (4, "buy", "b"), (0, "buy", "a")],
            ["a", "b"],
        ),
    ],
)
def test_list_items(story: str, options: Mapping[str, Any], steps: list[Any], items: list[object]) -> None:
    """A list holds the newest items, less what was deleted and cleared."""
    parts = after(listed(**options), *history(*steps))
    assert repr(parts["l.all"]) == repr(items), story


def test_list_aggregations() -> None:
    """Aggregations read the live items that have the column; sums are exact decimals."""
    steps = history((1, "buy", "a", 0.1), (2, "buy", "b", "0.2"), (3, "buy", "a", [5]), (4, "buy", "c", None))
    parts = after(listed(), *steps)
    assert parts == {
        "l.all": ["a", "b", "c"],
        "l.first": "a",
        "l.last": "c",
        "l.n": 4,
        "l.sum": 0.3,
        "l.min": 0.1,
        "l.max": 0.2,
    }
    empty = after(listed(), {"time": 1, "kind": "see"})
    assert list(empty.values()) == [[], None, None, 0, 0, None, None]


@pytest.mark.parametrize(
    ("at", "hour", "day"),
    [
        # Panes of the hour: a minute each; of the day: an hour each. The event lies at 00:10:30.
        #
        #   hour   |00:10 pane|...............01:10:59|   reaches back to the pane of T - 1h
        (630, 1, 1),
        (630 + 3600, 1, 1),
        (659.999 + 3600, 1, 1),
        (660 + 3600, 0, 1),
        #   day    |00:00 pane .. 01:00|.............. next day 00:59:59|
        (86_400 + 3_599.999, 0, 1),
        (86_400 + 3_600, 0, 0),
    ],
)
def test_windows(at: float, hour: int, day: int) -> None:
    """A window covers the panes from floor((T - W) / g) to floor(T / g)."""
    counter = {"n": {"type": "counter", "on": "see", "window": "1d", "sub_windows": {"hour": "1h"}}}
    assert after(counter, {"time": 630}, at=at) == {"n": day, "n.hour": hour}


def test_sums_are_exact() -> None:
    """0.1 added ten times is 1, half a unit rounds to even, and too large or unusable adds nothing."""
    total = {"n": {"type": "total", "on": "see", "increment": "v", "discard": "never", "decimals": 2}}
    assert after(total, *[{"time": 1, "v": 0.1}] * 10) == {"n": 1}
    values = (0.125, "1e1", None, "x", True, 10**12 + 1, -3, [1], float("nan"))
    assert after(total, *[{"time": 1, "v": value} for value in values]) == {"n": 7.12}


def test_total_discards_by_day() -> None:
    """A total of 2d read at T counts the days from that of T - 2d on."""
    total = {"n": {"type": "total", "on": "see", "discard": "2d"}}
    day = 86_400
    assert after(total, {"time": 10}, {"time": day}, at=3 * day - 1) == {"n": 2}
    assert after(total, {"time": 10}, {"time": day}, at=3 * day) == {"n": 1}


def test_backfill() -> None:
    """The later of event and imported value; a total adds the panes that end after the base's time."""
    imported = {
        "v0": {"type": "imported", "dtype": "string"},
        "n0": {"type": "imported", "dtype": "number"},
        "at": {"type": "imported", "dtype": "timestamp"},
    }
    attributes = {
        **imported,
        **single(backfill={"value": "v0", "time": "at"}),
        "n": {"type": "total", "on": "see", "increment": "1", "backfill": {"value": "n0", "time": "at"}},
    }
    engine = reference(attributes)
    for time, value in ((3_599, "early"), (7_200, "late")):
        engine.process({"u": "1", "time": time, "v": value}, table="t")

    def read(row: Mapping[str, object], now: int) -> tuple[object, object]:
        engine.import_batch([{"u": "1", **row}])
        profile = engine.profile({"u": "1"}, now=now)
        assert profile is not None
        return profile.attributes["s"], profile.attributes["n"]

    assert read({"v0": "old", "n0": 10, "at": 3_600}, 7_200) == ("late", 11)
    assert read({"v0": "tie", "n0": 10, "at": 7_200}, 7_200) == ("late", 11)
    assert read({"v0": "new", "n0": 10.5, "at": 7_201}, 7_201) == ("new", 11.5)
    assert read({"v0": "unborn", "n0": 10, "at": 7_201}, 7_200) == ("late", 2)
    assert read({"v0": "undated", "n0": 10}, 7_200) == ("late", 2)


def test_merge_adds_up_and_the_oldest_survives() -> None:
    """Two profiles that meet are one: sums added, the survivor's entry wins a tie, both rids answer."""
    attributes = {**single(), "n": {"type": "total", "on": "see"}}
    engine = reference(attributes)
    old = engine.process({"c": "1", "time": 10, "v": "first"}, table="t").rid
    young = engine.process({"m": "a@b", "time": 11, "v": "absorbed"}, table="t").rid
    engine.process({"c": "1", "time": 11, "v": "survivor"}, table="t")
    outcome = engine.process({"c": "1", "m": "a@b", "time": 5}, table="t")
    assert old is not None
    assert young is not None
    assert outcome.rid == old
    profile = engine.profile(rid=young)
    assert profile is not None
    assert profile == engine.profile({"m": "a@b"})
    assert profile.attributes == {"tier": None, "s": "survivor", "n": 4}
    assert profile.created.timestamp() == 5
    kinds = [(row["profile_change_type"], row["current_rid"]) for row in outcome.id_changes]
    assert kinds == [("profile_deleted_by_stitching", young), ("profile_updated_by_stitching", old)]


def test_rid() -> None:
    """A rid is a UUIDv7: the founding event's ms, then the keyed hash of its first identifier."""
    engine = reference(identity={**BASE["identity"], "secret": "s"})
    digest = int.from_bytes(hashlib.blake2b(b"m\x00a@b", digest_size=10, key=b"s").digest()) >> 6
    expected = f"{1500:012x}7{digest >> 62:03x}{(1 << 63) | (digest & (2**62 - 1)):016x}"
    outcome = engine.process({"u": "9", "m": "a@b", "c": "", "time": 1.5}, table="t")
    assert outcome.rid is not None
    assert outcome.rid.replace("-", "") == expected
    assert outcome.validation_failures[0]["invalid_keys"] == [
        '{"key":"c","value":"","reason":"Value is empty."}'
    ]


def test_eviction() -> None:
    """Beyond the cap the longest unseen goes first, then the later key and greater text; lookup last."""
    engine = reference(limits={"associations": 3})
    engine.process({"u": "1", "time": 1}, table="t")
    engine.process({"c": "1", "m": "1@", "u": "1", "time": 2}, table="t")
    evicted = engine.process({"c": "2", "u": "1", "time": 3}, table="t").id_changes[-1]["evicted_ids"]
    assert evicted == '["m:1@"]'
    evicted = engine.process({"c": "0", "u": "1", "time": 1}, table="t").id_changes[-1]["evicted_ids"]
    assert evicted == '["c:0"]'
    assert engine.partition() == {frozenset({("c", "1"), ("c", "2"), ("u", "1")})}


def test_rows_join_and_wait() -> None:
    """A row's identifiers join the profile that holds one of them, now or when it appears."""
    engine = reference()
    engine.process({"c": "1", "time": 1}, table="t")
    engine.process({"m": "1@", "time": 2}, table="t")
    engine.import_batch([{"u": "1", "c": "1", "k": "z", "tier": "gold"}, {"u": "2", "k": "z", "m": "2@"}])
    assert engine.partition() == {
        frozenset({("c", "1"), ("u", "1"), ("k", "z"), ("u", "2"), ("m", "2@")}),
        frozenset({("m", "1@")}),
    }
    engine.import_batch([{"u": "3", "m": "3@", "tier": "new"}])
    outcome = engine.process({"m": "3@", "time": 3}, table="t")
    profile = engine.profile(rid=outcome.rid)
    assert profile is not None
    assert profile.keys == {"m": ["3@"], "u": ["3"]}
    assert profile.attributes == {"tier": "new"}


def test_row_valid_from_a_time() -> None:
    """A row with a time is read from then on; the lookup value seen last comes first."""
    engine = reference()
    engine.process({"c": "1", "u": "1", "time": 10}, table="t")
    engine.process({"c": "1", "u": "2", "time": 5}, table="t")
    rows = [
        {"u": "1", "tier": "b", "time": 30},
        {"u": "1", "tier": "a", "time": 20},
        {"u": "2", "tier": "other"},
    ]
    engine.import_batch(rows)
    read = [engine.profile({"c": "1"}, now=now).attributes["tier"] for now in (10, 20, 29.999, 30)]  # type: ignore[union-attr]
    assert read == ["other", "a", "a", "b"]


def test_before_and_evaluate() -> None:
    """`before.X` is X without the event; in `evaluate` nothing is updated and it is X."""
    payload = {"attributes": {"now": "n", "then": "before.n"}}
    sections = {
        "any": {"on": "see", "payload": payload},
        "new": {"when": "m IS NOT NULL AND before.m IS NULL", "payload": payload},
    }
    engine = reference(
        {"n": {"type": "counter", "on": "see", "window": "1d"}},
        personalizations={"p": {"sections": sections}},
    )

    def answer(outcome: Any) -> dict[str, object]:
        return {name: tuple(offer["attributes"].values()) for name, offer in outcome.offers.items()}

    assert answer(engine.process({"c": "1", "time": 1}, table="t")) == {"any": (1, 0)}
    event = {"c": "1", "m": "1@", "time": 2}
    assert answer(engine.evaluate(event, table="t")) == {"any": (1, 1)}
    assert answer(engine.process(event, table="t")) == {"any": (2, 1), "new": (2, 1)}
    assert answer(engine.process({"x": 1, "time": 2}, table="t")) == {"any": (1, 0)}


def test_time() -> None:
    """An event far ahead of `now` takes it; one without a time takes it too; with neither it is refused."""
    engine = reference()
    assert engine.process({"c": "1", "time": 1_000}, table="t", now=600).now.timestamp() == 600  # type: ignore[union-attr]
    assert engine.process({"c": "1", "time": 1_000}, table="t", now=700).now.timestamp() == 1_000  # type: ignore[union-attr]
    assert engine.process({"c": "1"}, table="t", now=10).now.timestamp() == 1_000  # type: ignore[union-attr]
    for event in ({"c": "1"}, {"c": "1", "time": "soon"}, {"c": "1", "time": -1}, {"c": "1", "time": 10**13}):
        with pytest.raises(EventError):
            engine.process(event, table="t")


def test_idle() -> None:
    """An event `idle` after the newest one finds the profile gone; its other identifiers are free as well."""
    engine = reference(limits={"idle": "1m"})
    first = engine.process({"c": "1", "m": "1@", "time": 10}, table="t").rid
    assert engine.process({"c": "1", "time": 69.999}, table="t").rid == first
    second = engine.process({"c": "1", "time": 129.999}, table="t").rid
    assert second != first
    assert engine.profile({"m": "1@"}) is None
    assert engine.profile({"c": "1"}, now=189.998) is not None
    assert engine.profile({"c": "1"}, now=189.999) is None


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.test.yaml")), ids=lambda path: path.name)
def test_examples(path: Path) -> None:
    """The reference answers the example configs' tests as the vendor's documents do."""
    file = read_tests(path)
    config = load_config(file.config)
    assert file.tests
    for test in file.tests:
        engine = Reference(config)
        for step in test.steps:
            if isinstance(step, BatchStep):
                engine.import_batch(step.rows)
                continue
            outcome = engine.process(step.event, table=step.table, audience=step.audience, now=step.now)
            if step.offers is not None:
                assert first_difference(step.offers, outcome.offers) is None, (test.name, step.line)
