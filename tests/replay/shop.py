"""A small shop for the tests of replays: a config, and events of its two tables."""

from __future__ import annotations

from typing import Any

CONFIG: dict[str, Any] = {
    "version": 1,
    "name": "shop",
    "tables": {"web.views": {}, "web.orders": {"time": "ordered_at", "timezone": "Europe/London"}},
    "identity": {"keys": {"cookie": {}, "email": {}}, "lookup_key": "email"},
    "key_events": {"view": "web.views", "order": "web.orders"},
    "attributes": {
        "views": {"type": "counter", "on": "view", "window": "7d", "sub_windows": {"day": "1d"}},
        "spend": {"type": "total", "on": "order", "increment": "amount"},
        "last_page": {"type": "single", "on": "view", "value": "page", "dtype": "string", "sensitive": True},
        "pages": {
            "type": "list",
            "on": "view",
            "item": "page",
            "sensitive": False,
            "aggregations": {
                "names": {"distinct": "item"},
                "last": {"last": "item"},
                "number": {"count": "item"},
            },
        },
        "tier": {"type": "imported", "dtype": "string", "sensitive": False},
        "since": {"type": "imported", "dtype": "timestamp", "sensitive": False},
        "tags": {"type": "imported", "dtype": "strings", "sensitive": False},
        "generous": {"type": "computed", "value": "spend >= 100"},
    },
    "segments": {"7": "regulars"},
    "personalizations": {
        "home": {
            "sections": {
                "Hello": {
                    "on": "view",
                    "when": "views = 1",
                    "payload": {"attributes": {"views": "views"}, "segments": ["7"]},
                },
                "You saw": {
                    "on": "view",
                    "when": "views = 2",
                    "payload": {"attributes": {"page": "last_page"}},
                },
            }
        },
        "desk": {
            "sections": {
                "Thanks": {"on": "order", "payload": {"attributes": {"spend": "spend", "tier": "tier"}}},
                "Big": {"when": "spend >= 100", "payload": {"strings": {"message": "big"}}},
            }
        },
    },
}
DAY = 86_400


def view(cookie: str, day: float, page: str = "/", **more: object) -> dict[str, object]:
    """Return an event of `web.views`."""
    return {"cookie": cookie, "page": page, "time": int(day * DAY), **more}


def order(email: str, day: int, amount: float, **more: object) -> dict[str, object]:
    """Return an event of `web.orders`, at noon of a day in January 1970."""
    return {"email": email, "ordered_at": f"1970-01-{day + 1:02} 12:00:00", "amount": amount, **more}


VIEWS = [view("a", 0, "/x"), view("b", 1), view("a", 2, "/y")]


def offered(run: Any) -> list[tuple[object, ...]]:
    """Return (event, section) of every offer."""
    return list(run.offers["event", "section"].rows())
