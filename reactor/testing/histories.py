"""Random events and batch rows, small enough that everything meets everything.

Every function takes a `random.Random` and draws from few identifiers and few values, so that merges,
ties, late events and junk are common.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Final, TypeAlias

Mapped: TypeAlias = dict[str, object]

# Half a day before New York leaves summer time.
START_MS: Final = 1_699_100_000_000
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
