"""Random configs, events and batch rows, small enough that everything meets everything.

Every function takes a `random.Random` (hypothesis can supply one that shrinks) and draws from few
identifiers, few values and short windows, so that merges, ties, late events, full lists and junk are
common. Configs come as mappings, to be loaded like an author's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Final, TypeAlias

import msgspec

Mapped: TypeAlias = dict[str, object]

# Half a day before New York leaves summer time.
START_MS: Final = 1_699_100_000_000
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


# How fast time passes: within windows of seconds, of hours, or from days to days.
PACES: Final = (
    (0, 0, 1, 999, 1_000, 5_000),
    (0, 1_000, 60_000, 90_000, 1_800_000),
    (0, 0, 1, 999, 1_000, 5_000, 60_000, 90_000, 1_800_000, 3_600_000, 20 * 3_600_000, 3 * 86_400_000),
)


class Times:
    """Draws event times: mostly forward by steps of one pace, at times late, often equal.

    distinct: no two are equal. late: how often one is late, by up to some steps of the pace.
    """

    def __init__(self, random: Random, *, distinct: bool = False, late: float = 0.25) -> None:
        self.random = random
        self.distinct = distinct
        self.late = late
        self.now_ms = START_MS
        self.steps = random.choice(PACES)
        self.used: set[int] = set()

    def draw(self) -> int:
        """Return the next time in ms."""
        random = self.random
        self.now_ms += random.choice(self.steps)
        time_ms = self.now_ms
        if random.random() < self.late:
            time_ms -= random.choice(self.steps[2:]) * random.choice((1, 1, 2, 5))
        while self.distinct and time_ms in self.used:
            time_ms += 1
        self.used.add(time_ms)
        self.now_ms = max(self.now_ms, time_ms)
        return time_ms


def written_time(random: Random, time_ms: int, *, local: bool = False) -> object:
    """Return a time in one of the forms an event may give it in, exact to the millisecond.

    local: also without an offset, which in another zone than UTC is another time.
    """
    seconds, rest = divmod(time_ms, 1000)
    forms: list[object] = [f"{seconds}.{rest:03d}"]
    if rest == 0:
        forms += [seconds, str(seconds)]
    iso = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat() + f".{rest:03d}"
    forms += [f"{iso}Z", f"{iso}+00:00", f"{iso.replace('T', ' ')}000000Z"]
    if local:
        forms += [iso, iso[:19], iso[:16].replace("T", " "), iso[:10]]
    return random.choice(forms)


CLIENTS: Final = ("c0", "c1", "c2", "c3", "c4", "null")
MAILS: Final = ("m1@x", "m2@x", "m3@x", "no mail")
CUSTOMERS: Final = ("u1", "u2", "u3")
WORDS: Final = ("x", "y", "X", "", "1", "1.0", "true", "2023-11-05", "x,y")
NUMBERS: Final = (0, 1, 2, -1, 1.0, 0.1, 2.55, -0.0, 1e-7, 0.0000005, 10**12, 10**12 + 1, "3", "0.25", "1e1")
JUNK: Final[Sequence[object]] = (
    None,
    [],
    {},
    {"x": {"x": 1}},
    "much too long for it",
    "\ud800",
    float("nan"),
    float("inf"),
    2**63,
    2**70,
    -(2**63),
    1e300,
    [1, [2]],
    [None, "x", float("nan")],
    ["x", {}],
    True,
    False,
)


def scalar(random: Random, *, junk: float = 0.08) -> object:
    """Draw a column's value; now and then one that can hardly be used."""
    if random.random() < junk:
        return random.choice(JUNK)
    if random.random() < 0.6:
        return random.choice(("x", "y", 1))
    return random.choice(WORDS) if random.random() < 0.6 else random.choice(NUMBERS)


def make_event(
    random: Random, time_ms: int | None, *, junk: float = 0.08, local: bool = False
) -> tuple[str, Mapped]:
    """Draw (table, event). time_ms: None leaves the event without a time; local: see `written_time`."""
    table = random.choices(("web.views", "shop.orders", "chat.notes"), (6, 4, 1))[0]
    event: Mapped = {}
    if time_ms is not None:
        event["at" if table == "shop.orders" else "time"] = written_time(random, time_ms, local=local)
    _identify(random, event, table, junk)
    columns: Mapping[str, Callable[[], object]] = {
        "kind": lambda: random.choice(("pick", "wipe", "see", "pick")),
        "a": lambda: scalar(random, junk=junk),
        "n": lambda: random.choice(JUNK) if random.random() < junk else random.choice(NUMBERS),
        "flag": lambda: random.choice((True, False, "true", "False", "yes", None)),
        "tags": lambda: [scalar(random, junk=junk / 4) for _ in range(random.randrange(4))],
        "price": lambda: random.choice((1, 2, 0.5, "2.5", None)),
        "obj": lambda: random.choice(({"x": 1}, {"x": "y"}, {"x": [1, 2]}, {}, "x")),
        "seen": lambda: random.choice(
            ("2023-11-04", 1_699_100_000, "soon", "2023-11-05 10:00:00.5+01:00", 1e18)
        ),
        "td_rt_tracking_id": lambda: "t1",
    }
    for name, draw in columns.items():
        if random.random() < (0.9 if name in ("kind", "a", "n") else 0.4):
            event[name] = draw()
    return table, event


def _identify(random: Random, event: Mapped, table: str, junk: float) -> None:
    if random.random() < 0.7:
        event["client"] = random.choice(CLIENTS)
    if random.random() < 0.35:
        mail = random.choice(MAILS)
        event["mail_raw" if table == "shop.orders" else "mail"] = mail
    if random.random() < 0.3:
        event["customer"] = random.choice(CUSTOMERS)
    if random.random() < 0.3:
        event["invoice" if table == "shop.orders" else "guest"] = random.choice(("i1", "i2"))
    if random.random() < junk:
        odd: object = random.choice(("", 7, None, True, ["c1"], "x" * 13, "ä" * 7, "ok", {"c": 1}))
        event[random.choice(("client", "mail", "Client", "canonical", "CUSTOMER"))] = odd


def make_rows(random: Random, *, lookup_key: str = "customer", timed: bool = True) -> list[Mapped]:
    """Draw batch rows; some of several for one lookup value, some that hold nobody."""
    rows = []
    for _ in range(random.randrange(5)):
        row: Mapped = {}
        if random.random() < 0.95:
            row[lookup_key] = random.choice(CUSTOMERS if lookup_key == "customer" else ("i1", "i2"))
        for key, values in (("mail", MAILS), ("canonical", ("k1", "k2")), ("client", ("c2", "c3", "c4"))):
            if random.random() < 0.25:
                row[key] = random.choice(values)
        if timed and random.random() < 0.4:
            row["time"] = written_time(random, START_MS + random.choice((-86_400_000, 0, 60_000, 86_400_000)))
        _fill(random, row)
        rows.append(row)
    return rows


def _fill(random: Random, row: Mapped) -> None:
    values: dict[str, Sequence[object]] = {
        "tier": ("gold", "x", 5, None, True),
        "score": (0, 100, 2.5, "7", "much", 2e12),
        "vip": (True, "false", "yes"),
        "since": ("2023-11-04", "2023-11-04T12:13:20.5Z", 1_699_099_000, "2023-11-06", "never", None),
        "labels": (["x", "y"], "x", [1, True], [], [None, {}]),
        "marks": ([1, 2.5], "3", ["x"], 4),
        "segments": (["s1"], "s2, s1", [], "s3", None),
        "unheard_of": (1,),
    }
    for name, options in values.items():
        if random.random() < 0.7:
            row[name] = random.choice(options)
