"""Seeded workloads: the same events on every machine, for benchmarks and for tests.

`retail-v1` is a web shop: 20,000 clients of 12,500 persons visit in sessions, look at
products, buy, and are recognised by an e-mail or a customer id now and then. Its parts:

    who      a person has one or two clients; an e-mail; every second one a customer id
    joins    an e-mail or customer id on the second client joins the two profiles, late
    shared   a few orders are made on somebody else's client: two persons become one profile
    time     8.64 s between events on average, so 10,000 events a day; about 30 open sessions
    late     one event in a hundred is up to three days older than its place
    broken   one client id in a thousand is the text "null", as the web SDK sends it

Nothing but `random.Random(seed).random()` and `getrandbits` decides, so that the events
are the same under every version of Python; a test pins their digest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final, TypeAlias

import msgspec
from ruamel.yaml import YAML

Event: TypeAlias = dict[str, object]
TableEvent: TypeAlias = tuple[str, Event]

PAGES: Final = "web.pageviews"
ORDERS: Final = "web.orders"

CLIENTS: Final = 20_000
PERSONS: Final = 12_500
START_S: Final = 1_748_736_000  # 2025-06-01T00:00:00Z
MEAN_GAP_S: Final = 8.64
OPEN_SESSIONS: Final = 30
DAY_S: Final = 86_400

CATEGORIES: Final = ("shoes", "coats", "shirts", "bags", "hats", "scarves", "belts", "gloves")
PRODUCTS: Final = 400
TIERS: Final = ("bronze", "silver", "gold")
PROFILE_ROUNDS: Final = 4  # events of each profile of profiles-v1

_CONFIG = Path(__file__).with_name("retail_v1.yaml")


class Workload(msgspec.Struct, frozen=True):
    """What one run needs.

    config: for `Reactor(config)`.
    events: (table, event), in order of arrival.
    batch: rows for `import_batch`, to be loaded before the first event.
    """

    config: Mapping[str, object]
    events: list[TableEvent]
    batch: list[Event]

    def __repr__(self) -> str:
        return f"Workload({len(self.events)} events, {len(self.batch)} batch rows)"


class _Session:
    """One visit of one client: what its next events are drawn from."""

    __slots__ = ("client", "email", "person", "views")

    def __init__(self, client: str, person: int) -> None:
        self.client = client
        self.person = person
        self.email = email(person)
        self.views = 0


def retail_config() -> Mapping[str, object]:
    """Return the config of `retail-v1`, as a mapping for `Reactor(...)`.

    >>> retail_config()["name"]
    'retail-v1'
    """
    # pure: libyaml reads YAML 1.1, where the key `on` is a boolean.
    config: Mapping[str, object] = YAML(typ="safe", pure=True).load(_CONFIG.read_text("utf-8"))
    return config


def retail_v1(events: int = 200_000, seed: int = 1) -> Workload:
    """Return the workload `retail-v1`; fewer events are the beginning of more.

    Cost: about 4 us and 1 KB an event.

    >>> workload = retail_v1(events=3)
    >>> workload
    Workload(3 events, 4375 batch rows)
    >>> sorted(workload.events[0][1])
    ['td_client_id', 'td_path', 'td_title', 'time']
    """
    return Workload(retail_config(), list(islice(retail_stream(seed), events)), batch_rows(seed))


def retail_stream(seed: int = 1) -> Iterator[TableEvent]:
    """Yield the events of `retail_v1` one after the other, without end.

    >>> [table for table, _ in islice(retail_stream(), 3)]
    ['web.pageviews', 'web.pageviews', 'web.pageviews']
    """
    rng = Random(seed)
    clients = [client_id(rng.getrandbits(128)) for _ in range(CLIENTS)]
    return _retail_events(rng, clients)


def profiles_v1(count: int = 1_000_000, seed: int = 1) -> Iterator[TableEvent]:
    """Yield the events of `profiles-v1`: `count` profiles of 2 identifiers and 4 events each.

    Four rounds over all profiles, in the tables of `retail_config()`: two page views, a
    product view with the e-mail, an order. Every text is made anew, as a decoder makes it.

    >>> events = list(profiles_v1(count=2))
    >>> len(events), len({event["td_client_id"] for _, event in events})
    (8, 2)
    """
    for round_number in range(PROFILE_ROUNDS):
        for number in range(count):
            rng = Random(seed * count * PROFILE_ROUNDS + number * PROFILE_ROUNDS + round_number)
            bits = (number + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 & (1 << 128) - 1
            session = _Session(client_id(bits), number)
            time_s = START_S + round_number * DAY_S + number * DAY_S // count
            yield _profile_event(rng, session, round_number, time_s)


def batch_rows(seed: int = 1) -> list[Event]:
    """Return a row for seven in ten of the customer ids: a tier and the batch segments."""
    rng = Random(seed + 1_000_000)
    rows: list[Event] = []
    for person in range(0, PERSONS, 2):
        if person % 20 < 14:
            row: Event = {"customer_id": customer_id(person), "tier": TIERS[_below(rng, 3)]}
            row["segments"] = [name for name in ("1588214", "1588215") if rng.random() < 0.4]
            rows.append(row)
    return rows


def client_id(bits: int) -> str:
    """Return 128 bits in the shape of a UUID, as the web SDK's `td_client_id`.

    >>> client_id(10)
    '00000000-0000-0000-0000-00000000000a'
    """
    digits = f"{bits:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def email(person: int) -> str:
    """Return the e-mail of a person.

    >>> email(7)
    'shopper00007@example.com'
    """
    return f"shopper{person:05d}@example.com"


def customer_id(person: int) -> str:
    """Return the customer id of a person.

    >>> customer_id(8)
    'C000008'
    """
    return f"C{person:06d}"


def _below(rng: Random, limit: int) -> int:
    # randrange's method has changed between versions of Python; random()'s has not.
    return int(rng.random() * limit)


def _retail_events(rng: Random, clients: list[str]) -> Iterator[TableEvent]:
    sessions = [_new_session(rng, clients) for _ in range(OPEN_SESSIONS)]
    time_s = float(START_S + 4 * DAY_S)
    while True:
        time_s += 2 * MEAN_GAP_S * rng.random()
        place = _below(rng, OPEN_SESSIONS)
        session = sessions[place]
        yield _shop_event(rng, session, _event_time(rng, int(time_s)))
        session.views += 1
        if rng.random() < 0.2:
            sessions[place] = _new_session(rng, clients)


def _new_session(rng: Random, clients: list[str]) -> _Session:
    # The power makes some clients come often and most come seldom.
    number = int(CLIENTS * rng.random() ** 1.5)
    return _Session(clients[number], number % PERSONS)


def _event_time(rng: Random, time_s: int) -> int:
    if rng.random() >= 0.01:
        return time_s
    longest_s = 3_600 if rng.random() < 0.5 else 3 * DAY_S
    return time_s - 1 - _below(rng, longest_s)


def _shop_event(rng: Random, session: _Session, time_s: int) -> TableEvent:
    client = session.client if rng.random() >= 0.001 else "null"
    event: Event = {"time": time_s, "td_client_id": client}
    if session.views and rng.random() < 0.12:
        return ORDERS, _order(rng, event, session)
    _view(rng, event, session)
    if rng.random() < 0.116:
        event["email"] = session.email
    elif session.person % 2 == 0 and rng.random() < 0.03:
        event["customer_id"] = customer_id(session.person)
    return PAGES, event


def _view(rng: Random, event: Event, session: _Session) -> None:
    draw = rng.random()
    if session.views == 0 and draw < 0.6:
        event["td_path"], event["td_title"] = "/retail", "Our shop"
    elif draw < 0.55:
        _product_view(rng, event)
    elif draw < 0.9:
        category = CATEGORIES[_below(rng, len(CATEGORIES))]
        event["td_path"], event["td_title"] = f"/retail/{category}", f"All our {category}"
    else:
        page = ("delivery", "returns", "sizes", "contact")[_below(rng, 4)]
        event["td_path"], event["td_title"] = f"/help/{page}", f"Help: {page}"


def _product_view(rng: Random, event: Event) -> None:
    number = int(PRODUCTS * rng.random() ** 2)
    category = CATEGORIES[number % len(CATEGORIES)]
    event["td_path"] = f"/retail/{category}/product/{number}"
    event["product"] = f"{category}-{number:04d}"
    event["product_category"] = category
    event["price"] = _price(number)


def _price(number: int) -> float:
    return (995 + number * 37 % 9_000) / 100


def _order(rng: Random, event: Event, session: _Session) -> Event:
    person = session.person if rng.random() >= 0.003 else _below(rng, PERSONS)
    numbers = [int(PRODUCTS * rng.random() ** 2) for _ in range(1 + _below(rng, 3))]
    amount = round(sum(_price(number) for number in numbers), 2)
    event["order_id"] = f"O-{rng.getrandbits(32):010d}"
    event["skus"] = [f"sku-{number:04d}" for number in numbers]
    event["amount"] = amount if rng.random() >= 0.02 else -amount
    event["email"] = email(person)
    if person % 2 == 0:
        event["customer_id"] = customer_id(person)
    return event


def _profile_event(rng: Random, session: _Session, round_number: int, time_s: int) -> TableEvent:
    event: Event = {"time": time_s, "td_client_id": session.client}
    if round_number == 0:
        event["td_path"], event["td_title"] = "/retail", "Our shop"
    elif round_number == 1:
        category = CATEGORIES[_below(rng, len(CATEGORIES))]
        event["td_path"], event["td_title"] = f"/retail/{category}", f"All our {category}"
    elif round_number == 2:
        _product_view(rng, event)
        event["email"] = session.email
    else:
        # Its own texts only: one e-mail is the profile's second and last identifier.
        number = int(PRODUCTS * rng.random() ** 2)
        event["order_id"] = f"O-{session.person:010d}"
        event["skus"] = [f"sku-{number:04d}"]
        event["amount"] = _price(number)
        return ORDERS, event
    return PAGES, event
