"""Random configs: each kind of attribute in random shapes, and sections over their parts.

Configs come as mappings, to be loaded like an author's. They read the columns that `histories` draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Final, TypeAlias

import msgspec

Mapped: TypeAlias = dict[str, object]

KEY_EVENTS: Final[Mapping[str, object]] = {
    "view": "web.views",
    "pick": {"table": "web.views", "where": "kind = 'pick'"},
    "wipe": {"table": "web.views", "where": "kind = 'wipe' OR flag"},
    "order": {"table": "shop.orders", "where": "amount > 0"},
    "refund": {"table": "shop.orders", "where": "amount <= 0"},
}
TABLES: Final[Mapping[str, object]] = {
    "web.views": None,
    "shop.orders": {
        "time": "at",
        "timezone": "America/New_York",
        "columns": {
            "amount": "n * coalesce(price, 1)",
            "mail": "lower(trim(mail_raw))",
            "guest": "CASE WHEN customer IS NULL THEN invoice END",
        },
    },
}
# dtype → expressions over any event that a single of that dtype may keep.
VALUES: Final[Mapping[str, Sequence[str]]] = {
    "string": ("a", "kind", "lower(a)", "a || '/' || kind", "coalesce(kind, 'none')", "cast(n AS varchar)"),
    "number": ("n", "a", "n * 2", "obj.x", "length(kind)", "CASE WHEN flag THEN 1 ELSE n END"),
    "boolean": ("flag", "a", "n > 1", "a = 'x'"),
    "timestamp": ("seen", "a", "cast(seen AS timestamp) + INTERVAL '1' DAY"),
    "strings": ("tags", "a"),
    "numbers": ("tags", "n"),
}
IMPORTED: Final = {
    "tier": "string",
    "score": "number",
    "vip": "boolean",
    "since": "timestamp",
    "labels": "strings",
    "marks": "numbers",
}
DTYPES: Final = tuple(VALUES)
PARTS: Final = ("first", "last", "sum", "min", "max", "distinct", "count")
SECONDS_TO_DAYS: Final = ("5s", "90s", "2m", "30m", "1h", "26h", "3d")


class Choice(msgspec.Struct):
    """Bounds of what `make_config` may draw.

    remembering: lists never forget a delete, and no cap evicts: what L1 and L2 need.
    idle: whether profiles may leave.
    """

    remembering: bool = False
    idle: bool = False


def make_config(random: Random, choice: Choice | None = None) -> Mapped:
    """Draw a config: each kind of attribute in random shapes, and sections over their parts."""
    choice = choice or Choice()
    attributes = _attributes(random, choice)
    types = part_types(attributes)
    attributes["made_up"] = {"type": "computed", "value": _value(random, types, deep=True)}
    types["made_up"] = "unknown"
    return {
        "version": 1,
        "name": "drawn",
        "limits": _limits(random, choice),
        "tables": dict(TABLES),
        "identity": {
            "lookup_key": random.choice(["customer", "customer", "guest"]),
            "secret": random.choice(["", "pepper", "long secret " * 9]),
            "keys": {
                "client": {"invalid": ["null", "c0"]},
                "mail": {"valid": "@"},
                "customer": {},
                "guest": {},
                "canonical": {"internal": True},
            },
        },
        "key_events": dict(KEY_EVENTS),
        "attributes": attributes,
        "segments": {"s1": "one", "s2": "two"},
        "personalizations": {"drawn": {"sections": _sections(random, types)}},
    }


def _limits(random: Random, choice: Choice) -> Mapped:
    limits: Mapped = {"identifier_bytes": 12, "window": "90d"}
    if random.random() < 0.3:
        limits["value_bytes"] = 8
    if random.random() < 0.5 and not choice.remembering:
        limits["associations"] = random.choice([1, 2, 3, 4, 5])
    if random.random() < 0.15 and choice.idle:
        limits["idle"] = random.choice(["10m", "2d"])
    return limits


def _attributes(random: Random, choice: Choice) -> Mapped:
    attributes: Mapped = {}
    secret = random.sample(["tier", "vip", "labels", "marks"], random.randrange(3))
    for name, dtype in IMPORTED.items():
        attributes[name] = {"type": "imported", "dtype": dtype, "sensitive": name in secret}
    for number, dtype in enumerate(random.sample(DTYPES, 3)):
        attributes[f"single{number}"] = _single(random, dtype, secret)
    for number in range(2):
        attributes[f"list{number}"] = _list(random, choice)
    for number in range(2):
        attributes[f"counter{number}"] = _counter(random)
        attributes[f"total{number}"] = _total(random)
    return attributes


def _on(random: Random) -> object:
    """Draw key events: one, some, or some with conditions."""
    names = random.sample(sorted(KEY_EVENTS), random.randint(1, 3))
    shape = random.randrange(3)
    if shape == 0:
        return names[0]
    if shape == 1:
        return names
    conditions = [
        None,
        "a = 'x'",
        "n > 1",
        "flag IS NOT TRUE",
        "kind IN ('pick', 'wipe')",
        "contains(tags, 'x')",
    ]
    return {name: random.choice(conditions) for name in names}


def _names(on: object) -> list[str]:
    return [on] if isinstance(on, str) else list(on)  # type: ignore[call-overload]


def _by_key_event(random: Random, on: object, expressions: Sequence[str]) -> object:
    """Draw one expression for all key events, or one for each."""
    if random.random() < 0.6:
        return random.choice(expressions)
    return {name: random.choice(expressions) for name in _names(on)}


def _single(random: Random, dtype: str, secret: Sequence[str]) -> Mapped:
    on = _on(random)
    single: Mapped = {"type": "single", "on": on, "dtype": dtype}
    single["value"] = _by_key_event(random, on, VALUES[dtype])
    single["sensitive"] = random.random() < 0.3
    if random.random() < 0.5:
        single["ttl"] = random.choice(SECONDS_TO_DAYS)
    if random.random() < 0.4:
        value = next(name for name, kind in IMPORTED.items() if kind == dtype)
        single["backfill"] = {"value": value, "time": "since"}
        single["sensitive"] = value in secret
    return single


def _list(random: Random, choice: Choice) -> Mapped:
    on, delete_on = _on(random), _on(random)
    both = list(dict.fromkeys([*_names(on), *_names(delete_on)]))
    columns = ("item", "price", "extra")
    aggregations: Mapped = {
        f"{kind}{place}": {kind: column, "sensitive": random.random() < 0.2}
        for kind in PARTS
        for place, column in enumerate(columns)
        if random.random() < 0.5 or (kind, column) == ("distinct", "item")
    }
    attribute: Mapped = {
        "type": "list",
        "on": on,
        "item": _by_key_event(random, both, ("a", "a", "tags", "n", "kind", "kind")),
        "fields": {"price": "n", "extra": _by_key_event(random, on, ("tags", "a", "obj.x"))},
        "unique": random.random() < 0.5,
        "max_items": 100 if choice.remembering and random.random() < 0.7 else random.choice([1, 2, 3, 5]),
        "ttl": random.choice(("5s", "2m", "26h", "3d", "60d")),
        "aggregations": aggregations,
    }
    if random.random() < 0.6 and (not choice.remembering or attribute["max_items"] == 100):
        attribute["delete_on"] = delete_on
    elif isinstance(attribute["item"], dict):
        attribute["item"] = {name: attribute["item"][name] for name in _names(on)}
    if random.random() < 0.3:
        attribute["clear_on"] = random.choice(("wipe", "refund", _on(random)))
    return attribute


def _counter(random: Random) -> Mapped:
    on = _on(random)
    counter: Mapped = {
        "type": "counter",
        "on": on,
        "window": random.choice(["10m", "3h", "26h", "4d", "60d"]),
    }
    seconds = {"10m": 600, "3h": 10_800, "26h": 93_600, "4d": 345_600, "60d": 5_184_000}[
        str(counter["window"])
    ]
    shorter = {"5s": 5, "2m": 120, "1h": 3_600, "24h": 86_400, "1d": 86_400}
    fitting = [text for text, length in shorter.items() if length < seconds]
    chosen = random.sample(fitting, random.randint(0, min(3, len(fitting))))
    counter["sub_windows"] = {f"w{text}": text for text in chosen}
    if random.random() < 0.2:
        shortest = min([seconds, *(shorter[text] for text in chosen)])
        panes = {"5s": 5, "1m": 60, "90s": 90, "10m": 600, "1h": 3_600, "7h": 25_200}
        usable = [text for text, width in panes.items() if width <= shortest and seconds / width < 10_000]
        counter.update({"pane": random.choice(usable)} if usable else {})
    _increment(random, counter, on)
    return counter


def _total(random: Random) -> Mapped:
    on = _on(random)
    total: Mapped = {"type": "total", "on": on, "discard": random.choice(["never", "1d", "36h", "5d"])}
    if total["discard"] != "never" and random.random() < 0.5:
        total["backfill"] = {"value": "score", "time": "since"}
    _increment(random, total, on)
    return total


def _increment(random: Random, counter: Mapped, on: object) -> None:
    if random.random() < 0.6:
        counter["increment"] = _by_key_event(random, on, ("n", "n * 0.1", "a", "-n", "length(kind)", "2"))
        if random.random() < 0.5:
            counter["decimals"] = random.choice([0, 2, 9])


def part_types(attributes: Mapping[str, object]) -> dict[str, str]:
    """Return the name of every part and its type: a dtype, `list`, or `any`."""
    types: dict[str, str] = {}
    for name, attribute in attributes.items():
        assert isinstance(attribute, dict)
        kind = attribute["type"]
        if kind in ("single", "imported"):
            types[name] = attribute["dtype"]
        elif kind in ("counter", "total"):
            types[name] = "number"
            types.update({f"{name}.{window}": "number" for window in attribute.get("sub_windows", {})})
        else:
            for part in attribute["aggregations"]:
                of = {"first": "any", "last": "any", "distinct": "list"}
                types[f"{name}.{part}"] = of.get(part[:-1], "number")
    return types


def _value(random: Random, types: Mapping[str, str], *, deep: bool = False) -> str:
    """Draw an expression over parts. deep: for a computed attribute, which has no `before.`."""
    name = random.choice(sorted(types))
    kind = types[name]
    forms = [name]
    if kind == "number":
        forms += [f"round({name} / 3, 2)", f"coalesce({name}, 0) + 1", f"-{name} % 2"]
    if kind == "string":
        forms += [f"coalesce({name}, 'none')", f"upper({name}) || '!'"]
    if kind == "timestamp":
        forms += [f"{name} - INTERVAL '1' HOUR"]
    if kind in ("list", "strings", "numbers"):
        forms += [f"cardinality({name})"]
    if not deep:
        forms += [f"before.{name}"]
    return random.choice(forms)


def condition(random: Random, types: Mapping[str, str]) -> str:
    """Draw a condition over parts, keys, segments, now and the event."""
    name = random.choice(sorted(types))
    forms = [
        f"{name} IS NULL",
        "mail IS NOT NULL AND before.mail IS NULL",
        "cardinality(client) > 1",
        "before.client IS NULL",
        "contains(customer, 'u1')",
        "segment('s1')",
        "event.kind = 'pick'",
        "now > TIMESTAMP '2023-11-04 12:15:00'",
    ]
    by_type = {
        "number": [
            f"{name} >= 2 AND before.{name} < 2",
            f"{name} < 1.5",
            f"NOT {name} = 0",
            f"{name} / 2 > 1",
        ],
        "string": [f"{name} IN ('x', 'y')", f"{name} LIKE '%x%'", f"before.{name} <> {name}"],
        "boolean": [f"{name}", f"NOT {name}", f"{name} IS NOT TRUE"],
        "timestamp": [f"{name} < now", f"{name} - INTERVAL '1' DAY > TIMESTAMP '2023-11-04'"],
        "strings": [f"contains({name}, 'x')", f"{name} = 'y'"],
        "numbers": [f"contains({name}, 1)", f"{name} > 1"],
        "list": [f"contains({name}, 'x')", f"contains({name}, 1)", f"cardinality({name}) > 1"],
        "any": [f"{name} = 'x'", f"{name} > 1"],
        "unknown": [f"before.{name} IS NULL"],
    }
    return random.choice(forms + by_type[types[name]] * 3)


def _sections(random: Random, types: Mapping[str, str]) -> Mapped:
    sections: Mapped = {}
    singles = {f"{name}.time": "timestamp" for name in types if name.startswith("single")}
    for number in range(random.randint(3, 6)):
        section: Mapped = {}
        if random.random() < 0.7:
            names = random.sample(sorted(KEY_EVENTS), random.randint(1, 2))
            section["on"] = names
            if random.random() < 0.3:
                section["where"] = random.choice(["n > 1", "a = 'x'", {names[0]: "flag", names[-1]: "n > 0"}])
        readable = {**types, **singles, **singles}
        if random.random() < 0.8:
            terms = [condition(random, readable) for _ in range(random.randint(1, 2))]
            section["when"] = random.choice([" AND ", " OR "]).join(f"({term})" for term in terms)
        attributes = {f"o{place}": _value(random, readable) for place in range(random.randint(1, 4))}
        section["payload"] = {"attributes": attributes, "strings": {"text": f"offer {number}"}}
        if random.random() < 0.3:
            section["payload"]["segments"] = ["s2", "s1"]  # type: ignore[index]
        sections[f"section {number}"] = section
    return sections
