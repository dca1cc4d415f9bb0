"""A small shop whose state has something of everything, for the tests of snapshots."""

from __future__ import annotations

from typing import Any

from reactor import Reactor

DAY = 86_400
START = 1_700_000_000


def config(**changed: Any) -> dict[str, Any]:
    """Return the shop's config, with other entries at the top."""
    return {
        "version": 1,
        "name": "shop",
        "identity": {
            "lookup_key": "customer",
            "secret": "for the tests",
            "keys": {"cookie": {}, "email": {}, "customer": {}},
        },
        "key_events": {
            "view": "web",
            "order": {"table": "shop", "where": "amount > 0"},
            "refund": {"table": "shop", "where": "amount <= 0"},
        },
        "attributes": attributes(),
        **changed,
    }


def attributes(**changed: Any) -> dict[str, Any]:
    """Return the shop's attributes, changed or added to."""
    seen = {
        "type": "list",
        "on": "view",
        "item": "product",
        "fields": ["price"],
        "max_items": 5,
        "ttl": "30d",
        "delete_on": {"refund": None},
        "aggregations": {"all": {"distinct": "item"}, "top": {"max": "price"}},
    }
    return {
        "last": {"type": "single", "on": "view", "value": "product", "dtype": "string"},
        "seen": {**seen, "item": {"view": "product", "refund": "sku"}},
        "visits": {"type": "counter", "on": "view", "window": "7d", "sub_windows": {"hour": "1h"}},
        "spend": {"type": "total", "on": "order", "increment": "amount", "discard": "60d"},
        "ever": {"type": "total", "on": "order", "increment": "amount", "discard": "never"},
        "tier": {"type": "imported", "dtype": "string"},
        **changed,
    }


def events(count: int = 60) -> list[tuple[str, dict[str, Any]]]:
    """Return (table, event), the same every time: some profiles merge, some things are deleted."""
    made: list[tuple[str, dict[str, Any]]] = []
    for number in range(count):
        person = number * 7 % 11
        event: dict[str, Any] = {"time": START + number * 3_000, "cookie": f"cookie-{number * 5 % 17}"}
        if number % 4 == 1:
            event["email"] = f"person{person}@example.com"
        if number % 6 == 2:
            event["customer"] = f"C{person}"
        if number % 5 == 4:
            event.update(amount=(number % 3 - 1) * 12.5, sku=f"p{number % 7}")
            made.append(("shop", event))
        else:
            event.update(product=f"p{number % 7}", price=number % 13 + 0.25)
            made.append(("web", event))
    return made


ROWS = [
    {"customer": "C1", "email": "person1@example.com", "tier": "gold", "segments": ["s2", "s1"]},
    {"customer": "C2", "tier": "silver", "time": START},
    {"customer": "C2", "tier": "gold", "time": START + 2 * DAY},
    {"customer": "C99", "cookie": "cookie-99", "tier": "bronze"},
]


def filled(count: int = 60, **changed: Any) -> Reactor:
    """Return an engine of the shop that has taken rows and events."""
    engine = Reactor(config(**changed))
    engine.import_batch(ROWS)
    for table, event in events(count):
        engine.process(event, table)
    return engine
