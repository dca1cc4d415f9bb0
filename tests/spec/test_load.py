"""What a config is resolved into: defaults, types, order, and what follows from what."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from reactor.criteria import Name
from reactor.errors import ConfigError
from reactor.spec import (
    Aggregation,
    Config,
    Counter,
    Imported,
    Limits,
    ListAttribute,
    Single,
    Table,
    Total,
    Window,
    load_config,
)
from reactor.spec.model import Backfill, Computed, Key
from reactor.units import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

CONFIGS = Path(__file__).parent / "configs"
EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.yaml"))
EXAMPLES = [path for path in EXAMPLES if not path.name.endswith(".test.yaml")]
ENVIRON = {"REACTOR_SECRET": "s"}


def load(text: str, tmp_path: Path) -> Config:
    """Load a config given as YAML."""
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def parse(attributes: dict[str, object], **parts: object) -> Config:
    """Load a config of the given attributes, over two tables."""
    base = {
        "version": 1,
        "identity": {"keys": ["email", "id"]},
        "tables": {"orders": {"columns": {"amount": "CAST(total AS double)", "sure": "coalesce(a, 'x')"}}},
        "key_events": {"view": "pages", "buy": "orders", "back": {"table": "orders", "where": "amount < 0"}},
        "attributes": attributes,
    }
    return load_config({**base, **parts})


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_examples_load(path: Path) -> None:
    """The example configs load as they are."""
    config = load_config(path)
    assert config.name == path.stem
    assert config.source == str(path)
    assert config.sections


def test_there_are_examples() -> None:
    """The test above is not empty."""
    assert len(EXAMPLES) >= 4


def test_yaml_toml_and_json_are_one_config() -> None:
    """The three languages say the same."""
    made = [load_config(CONFIGS / f"retail.{ending}", environ=ENVIRON) for ending in ("yaml", "toml", "json")]
    plain = [msgspec.structs.replace(config, warnings=(), source=None) for config in made]
    assert plain[0] == plain[1] == plain[2]
    assert [len(config.warnings) for config in made] == [8, 8, 8]
    assert [warning.line is None for warning in made[1].warnings] == [True] * 8


def test_the_whole_language() -> None:
    """The config that uses every part, resolved."""
    config = load_config(CONFIGS / "retail.yaml", environ=ENVIRON)
    assert repr(config) == "Config('retail': 2 tables, 5 keys, 11 attributes, 2 sections)"
    assert config.secret == "s"
    assert list(config.tables) == ["web.orders", "web.pageviews"]
    assert config.tables["web.pageviews"] == Table("web.pageviews")
    assert config.tables["web.orders"].timezone == "Europe/London"
    assert config.keys[0] == Key("td_client_id", None, frozenset({"null", "undefined"}), False)
    assert config.keys[4] == Key("canonical_id", None, frozenset(), True)
    assert config.lookup_key == "customer_id"
    assert config.computed == ("average_order",)
    assert config.segments == {"1588214": "loyal customers"}
    recent = config.attributes["recent_products"]
    assert isinstance(recent, ListAttribute)
    assert [(trigger.key_event, trigger.where and trigger.where.text) for trigger in recent.on] == [
        ("product_view", None),
        ("purchase", "amount > 1"),
    ]
    assert {name: value.text for name, value in recent.item.items()} == {
        "product_view": "product",
        "purchase": "sku",
        "refund": "sku",  # taken back over the same table as it was bought
    }
    assert recent.aggregations["last_url"] == Aggregation("last_url", "last", "url", True)
    assert not recent.aggregations["names"].sensitive
    banner, discount = config.sections
    assert (banner.personalization, banner.name, banner.on) == ("homepage", "Welcome Banner", ("page_view",))
    assert banner.where["page_view"].text == "td_path = '/retail'"
    assert banner.sensitive == ()
    assert discount.sensitive == ("tier",)
    assert discount.segments == ("1588214",)
    assert [section.segments for section in config.sections] == [None, ("1588214",)]


def test_names_and_types() -> None:
    """Every name of the profile, with its type and whether it can be NULL, in the order of the file."""
    aggregations = {
        kind: {kind: "item"} for kind in ("first", "last", "sum", "min", "max", "distinct", "count")
    }
    renamed = {f"{kind}_item": value for kind, value in aggregations.items()}
    config = parse(
        {
            "twice": {"type": "computed", "value": "visits * 2"},
            "tier": {"type": "imported", "dtype": "strings"},
            "last": {"type": "single", "on": "view", "value": "sku", "dtype": "boolean"},
            "visits": {"type": "counter", "on": "view", "window": "7d", "sub_windows": {"day": "1d"}},
            "spend": {"type": "total", "on": "buy", "increment": "amount"},
            "recent": {"type": "list", "on": "view", "item": "sku", "aggregations": renamed},
            "known": {"type": "computed", "value": "email IS NOT NULL"},
        }
    )
    assert dict(config.names) == {
        "twice": Name("number"),
        "tier": Name("strings"),
        "last": Name("boolean"),
        "last.time": Name("timestamp"),
        "visits": Name("number", nullable=False),
        "visits.day": Name("number", nullable=False),
        "spend": Name("number", nullable=False),
        "recent.first_item": Name("untyped"),
        "recent.last_item": Name("untyped"),
        "recent.sum_item": Name("number", nullable=False),
        "recent.min_item": Name("number"),
        "recent.max_item": Name("number"),
        "recent.distinct_item": Name("list", nullable=False),
        "recent.count_item": Name("number", nullable=False),
        "known": Name("boolean", nullable=False),
        "email": Name("strings"),
        "id": Name("strings"),
    }
    assert list(config.names)[:4] == ["twice", "tier", "last", "last.time"]
    assert list(config.attributes) == ["twice", "tier", "last", "visits", "spend", "recent", "known"]


def test_made_columns_have_their_types() -> None:
    """A made column has its expression's type and nullability; what it is made of has none."""
    config = parse(
        {
            "a": {"type": "single", "on": "buy", "value": "amount", "dtype": "number"},
            "b": {"type": "single", "on": ["view", "buy"], "value": "sure", "dtype": "string"},
        }
    )
    number = config.attributes["a"]
    text = config.attributes["b"]
    assert isinstance(number, Single)
    assert isinstance(text, Single)
    assert (number.value["buy"].type, number.value["buy"].nullable) == ("number", True)
    assert (text.value["buy"].type, text.value["buy"].nullable) == ("string", False)
    assert (text.value["view"].type, text.value["view"].nullable) == ("untyped", True)
    assert config.tables["orders"].columns["amount"].refs[0].type == "untyped"


def test_defaults() -> None:
    """What is not written has the documented default."""
    config = parse(
        {
            "single": {"type": "single", "on": "view", "value": "a", "dtype": "string"},
            "names": {"type": "list", "on": "view", "item": "a"},
            "visits": {"type": "counter", "on": "view", "window": "24h"},
            "spend": {"type": "total", "on": "view", "increment": "a"},
            "tier": {"type": "imported", "dtype": "string"},
        }
    )
    single, names, visits, spend, tier = config.attributes.values()
    assert isinstance(single, Single)
    assert (single.ttl_ms, single.backfill, single.sensitive, single.was) == (None, None, False, None)
    assert isinstance(names, ListAttribute)
    assert (names.max_items, names.ttl_ms, names.unique) == (100, 60 * DAY_MS, False)
    assert (names.fields, names.aggregations, names.delete_on, names.clear_on) == ({}, {}, (), ())
    assert isinstance(visits, Counter)
    assert (visits.increment, visits.decimals) == (None, 0)
    assert visits.windows == (Window(None, DAY_MS, MINUTE_MS),)
    assert isinstance(spend, Total)
    assert (spend.decimals, spend.discard_ms, spend.pane_ms, spend.backfill) == (6, 60 * DAY_MS, DAY_MS, None)
    assert tier == Imported("tier", "tier", "string", False)
    assert (config.name, config.description, config.secret, config.lookup_key) == ("reactor", "", "", None)
    assert config.limits == Limits(
        sliding_window_ms=90 * DAY_MS,
        window_ms=60 * DAY_MS,
        items=100,
        keys=200,
        attributes=200,
        tables=100,
        sub_windows=20,
        associations=200,
        panes=10_000,
        fields=20,
        name=256,
        event_bytes=1_000_000,
        value_bytes=2_048,
        identifier_bytes=512,
        clock_skew_ms=5 * MINUTE_MS,
        idle_ms=None,
        profiles=None,
        memory_bytes=None,
        when_full="evict",
    )


def test_limits_move_no_default_but_lower_it() -> None:
    """A higher limit changes nothing that is not written; a lower one holds for defaults too."""
    written: dict[str, object] = {"type": "list", "on": "view", "item": "a"}
    high = parse({"x": written}, limits={"window": "365d", "items": 500})
    low = parse({"x": written}, limits={"window": "30d", "items": 5})
    assert [
        (attribute.ttl_ms // DAY_MS, attribute.max_items)
        for attribute in (high.attributes["x"], low.attributes["x"])
        if isinstance(attribute, ListAttribute)
    ] == [(60, 100), (30, 5)]
    assert (high.limits.sliding_window_ms, high.limits.window_ms) == (365 * DAY_MS, 365 * DAY_MS)


def test_limits_are_read() -> None:
    """Durations, sizes, numbers, and null for off."""
    limits = parse(
        {},
        limits={
            "idle": "30d",
            "profiles": 10,
            "event": "500KB",
            "clock_skew": "0s",
            "when_full": "refuse",
        },
    ).limits
    assert (limits.idle_ms, limits.profiles) == (30 * DAY_MS, 10)
    assert (limits.event_bytes, limits.clock_skew_ms, limits.when_full) == (500_000, 0, "refuse")
    off = parse({}, limits={"idle": None, "profiles": None, "memory": None}).limits
    assert (off.idle_ms, off.profiles, off.memory_bytes) == (None, None, None)


@pytest.mark.parametrize(
    ("window", "pane", "expected"),
    [
        ("30s", None, SECOND_MS),
        ("15m", None, SECOND_MS),
        ("24h", None, MINUTE_MS),
        ("1d", None, HOUR_MS),
        ("7d", "5m", 5 * MINUTE_MS),
        ("10000s", None, SECOND_MS),  # as many panes as there may be
    ],
)
def test_panes(window: str, pane: str | None, expected: int) -> None:
    """The width follows the unit that is written, or is what `pane` says for every window."""
    entry: dict[str, object] = {
        "type": "counter",
        "on": "view",
        "window": window,
        "sub_windows": {"part": window},
    }
    counter = parse({"x": {**entry, "pane": pane} if pane else entry}).attributes["x"]
    assert isinstance(counter, Counter)
    assert [part.pane_ms for part in counter.windows] == [expected, expected]
    assert [part.name for part in counter.windows] == [None, "part"]


def test_literal_increments() -> None:
    """YAML reads a number where an expression is expected; it is one."""
    config = parse(
        {
            "two": {"type": "counter", "on": "view", "window": "1d", "increment": 2, "decimals": 0},
            "half": {"type": "total", "on": ["view", "buy"], "increment": {"view": 0.5, "buy": "-amount"}},
        }
    )
    two, half = config.attributes["two"], config.attributes["half"]
    assert isinstance(two, Counter)
    assert isinstance(half, Total)
    assert two.increment is not None
    assert half.increment is not None
    assert (two.increment["view"].text, two.increment["view"].type, two.decimals) == ("2", "number", 0)
    assert {name: value.text for name, value in half.increment.items()} == {"view": "0.5", "buy": "-amount"}


def test_total_panes_and_discard() -> None:
    """A backfill needs panes of an hour; `never` keeps one sum."""
    config = parse(
        {
            "base": {"type": "imported", "dtype": "number"},
            "at": {"type": "imported", "dtype": "timestamp"},
            "a": {"type": "total", "on": "view", "discard": "never"},
            "b": {"type": "total", "on": "view", "backfill": {"value": "base", "time": "at"}},
        }
    )
    a, b = config.attributes["a"], config.attributes["b"]
    assert isinstance(a, Total)
    assert isinstance(b, Total)
    assert (a.pane_ms, a.discard_ms, a.backfill, a.increment, a.decimals) == (DAY_MS, None, None, None, 0)
    assert (b.pane_ms, b.backfill) == (HOUR_MS, Backfill("base", "at"))


def test_a_backfill_may_name_what_is_not_declared() -> None:
    """It is imported then, with the type that the place asks for; a warning says so."""
    config = parse({"x": {"type": "total", "on": "view", "backfill": {"value": "base", "time": "base_at"}}})
    assert config.attributes["base"] == Imported("base", "base", "number", False)
    assert config.attributes["base_at"] == Imported("base_at", "base_at", "timestamp", False)
    assert config.names["base_at"] == Name("timestamp")
    assert [warning.path for warning in config.warnings if "is not declared" in warning.message] == [
        "attributes.x.backfill.value",
        "attributes.x.backfill.time",
    ]


SENSITIVE: dict[str, object] = {
    "tier": {"type": "imported", "dtype": "string", "sensitive": True},
    "tier_at": {"type": "imported", "dtype": "timestamp"},
    "level": {
        "type": "single",
        "on": "view",
        "value": "a",
        "dtype": "string",
        "backfill": {"value": "tier", "time": "tier_at"},
    },
    "names": {
        "type": "list",
        "on": "view",
        "item": "a",
        "sensitive": True,
        "aggregations": {"all": {"distinct": "item"}, "number": {"count": "item", "sensitive": False}},
    },
    "deep": {"type": "computed", "value": "coalesce(shallow, 'x')"},
    "shallow": {"type": "computed", "value": "lower(before.level)"},
    "when": {"type": "computed", "value": "level.time"},
    "keys": {"type": "computed", "value": "cardinality(email)"},
    "plain": {"type": "computed", "value": "names.number + 1"},
    "visits": {"type": "counter", "on": "view", "window": "1d"},
}


def test_sensitivity_is_inherited() -> None:
    """By a single from its backfill, by a computed attribute from its parts and from keys."""
    outputs = {
        "a": "visits",
        "b": "deep",
        "c": "names.all",
        "d": "names.number",
        "e": "coalesce(tier, before.level)",
        "f": "level.time",
    }
    sections = {
        "all": {"payload": {"attributes": outputs}},
        "none": {"when": "tier = 'x'", "payload": {"attributes": {"a": "plain"}}},
    }
    config = parse(SENSITIVE, personalizations={"p": {"sections": sections}})
    sensitive = {name for name, found in config.attributes.items() if getattr(found, "sensitive", False)}
    assert sensitive == {"tier", "level", "deep", "shallow", "when", "keys"}
    names = config.attributes["names"]
    assert isinstance(names, ListAttribute)
    assert {name: part.sensitive for name, part in names.aggregations.items()} == {
        "all": True,
        "number": False,
    }
    assert [section.sensitive for section in config.sections] == [
        ("deep", "names.all", "tier", "level", "level.time"),
        (),
    ]
    assert config.computed.index("shallow") < config.computed.index("deep")
    assert isinstance(config.attributes["deep"], Computed)


def test_forms_that_say_the_same() -> None:
    """A name, a list of names, and a mapping to null or to what is always true."""
    forms: list[object] = ["view", ["view"], {"view": None}, {"view": "TRUE"}, {"view": True}]
    made = [parse({"x": {"type": "counter", "on": form, "window": "1d"}}).attributes for form in forms]
    assert all(attributes == made[0] for attributes in made)
    keys: list[object] = [["a", "b"], {"a": None, "b": None}, {"a": {}, "b": {}}]
    identities = [load_config({"version": 1, "identity": {"keys": form}}).keys for form in keys]
    assert identities[0] == identities[1] == identities[2]
    tables: list[object] = [["t"], {"t": None}, {"t": {}}, {"t": {"timezone": "UTC"}}]
    assert {str(load_config({"version": 1, "tables": form}).tables) for form in tables} == {
        str({"t": Table("t")})
    }


def test_section_filters() -> None:
    """One `where` for all key events, one by key event, and one for a section without `on`."""
    config = parse(
        {},
        personalizations={
            "p": {
                "sections": {
                    "shared": {"on": ["view", "buy"], "where": "a = 1", "payload": {"strings": {"s": "t"}}},
                    "own": {
                        "on": ["view", "buy"],
                        "where": {"buy": "amount > 1", "view": None},
                        "payload": {"strings": {"s": "t"}},
                    },
                    "any": {"where": "a = 1", "payload": {"strings": {"s": "t"}}},
                }
            }
        },
    )
    filters = [{name: found.text for name, found in section.where.items()} for section in config.sections]
    assert filters == [{"view": "a = 1", "buy": "a = 1"}, {"buy": "amount > 1"}, {"": "a = 1"}]
    assert [section.on for section in config.sections] == [("view", "buy"), ("view", "buy"), None]


def test_event_columns_in_a_section() -> None:
    """A made column has its type where every table of the section makes it; else it is untyped."""

    def column(**section: object) -> Name:
        config = parse({}, personalizations={"p": {"sections": {"s": section}}})
        ref = config.sections[0].attributes["x"].refs[0]
        return Name(ref.type, ref.nullable)

    payload = {"attributes": {"x": "event.amount"}}
    assert column(on="buy", payload=payload) == Name("number")
    assert column(on=["buy", "back"], payload=payload) == Name("number")
    assert column(on=["buy", "view"], payload=payload) == Name("untyped")
    assert column(payload=payload) == Name("untyped")


def test_names_that_need_quotes(tmp_path: Path) -> None:
    """Keys, columns and outputs may have any name; fields of a list are columns as they are called."""
    config = load(
        """
version: 1
identity: {keys: ["user.id", from]}
key_events: {view: t}
attributes:
  x:
    type: list
    on: view
    item: '"a.b"'
    fields: [from, now, a b]
    aggregations: {l: {last: a b}, n: {max: now}}
personalizations:
  p:
    sections:
      "☃ s":
        when: '"user.id" IS NULL AND "from" IS NULL'
        payload: {attributes: {"a b - c": x.l}}
""",
        tmp_path,
    )
    found = config.attributes["x"]
    assert isinstance(found, ListAttribute)
    assert {name: value["view"].refs[0].name for name, value in found.fields.items()} == {
        "from": "from",
        "now": "now",
        "a b": "a b",
    }
    assert found.item["view"].refs[0].name == "a.b"
    assert list(config.sections[0].attributes) == ["a b - c"]


def test_a_key_may_not_be_called_like_a_part() -> None:
    """`visits.day` would be two things."""
    with pytest.raises(ConfigError) as caught:
        parse(
            {"visits": {"type": "counter", "on": "view", "window": "1d", "sub_windows": {"day": "1d"}}},
            identity={"keys": ["visits.day"]},
        )
    assert str(caught.value) == (
        'identity.keys["visits.day"]: expected another name for a stitching key: '
        '"visits.day" is a part of an attribute'
    )


def test_load_and_parse() -> None:
    """The two ways in have names of their own."""
    path = CONFIGS.parents[1] / "examples" / "seed-s0.yaml"
    assert Config.load(path) == load_config(str(path))
    assert Config.parse({"version": 1}) == load_config({"version": 1})


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """`${NAME}` reads it, anywhere in the secret and nowhere else."""
    monkeypatch.setenv("REACTOR_TEST_SECRET", "abc")
    source = {
        "version": 1,
        "name": "${X}",
        "identity": {"keys": ["a"], "secret": "x${REACTOR_TEST_SECRET}-$y"},
    }
    config = load_config(source)
    assert (config.secret, config.name) == ("xabc-$y", "${X}")
