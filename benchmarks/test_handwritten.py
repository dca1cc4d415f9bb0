"""The loop by hand gives the offers that retail-v1's config asks for: cases worked out by hand.

The reference model, which recomputes everything from all events, agrees; `test_live.py`
compares the loop with the engine over the whole workload.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from handwritten import Answer, handwritten
from sizes import FULL

from reactor import Config
from reactor.testing.reference import Reference
from reactor.testing.workloads import retail_v1

MONDAY = 1_750_000_000 // 86_400 * 86_400  # a midnight in June 2025
BATCH = [
    {"customer_id": "C1", "tier": "gold", "segments": ["1588215", "other"]},
    {"customer_id": "C2", "tier": "bronze", "segments": []},
]
HOME = {"td_path": "/retail", "td_title": "Our shop"}


class Shop:
    """The loop, and events by their essentials; `at` is in seconds after that midnight."""

    def __init__(self) -> None:
        self.process: Callable[..., Answer] = handwritten(BATCH)

    def view(self, at: int, client: str, path: str = "/help/sizes", **columns: Any) -> Answer:
        event = {"time": MONDAY + at, "td_client_id": client, "td_path": path, **columns}
        return self.process(event, "web.pageviews")

    def product(self, at: int, client: str, product: str, price: float, **columns: Any) -> Answer:
        columns = {"product": product, "product_category": "hats", "price": price} | columns
        return self.view(at, client, f"/retail/hats/product/{product}", **columns)

    def order(self, at: int, client: str, amount: float, *skus: str, **columns: Any) -> Answer:
        event = {"time": MONDAY + at, "td_client_id": client, "amount": amount, "skus": list(skus)}
        return self.process(event | {"order_id": f"O{at}"} | columns, "web.orders")


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A shop without visitors."""
    return Shop()


def attributes(answer: Answer, section: str) -> dict[str, Any]:
    """Return what one section answered."""
    return answer.offers[section]["attributes"]


def test_welcome_counts_and_names_the_first_page(shop: Shop) -> None:
    """visits.day counts this view; landing is the oldest page of the last 24 hours."""
    shop.view(0, "a", "/retail/bags")
    shop.view(10, "a", "/help/sizes")
    answer = shop.view(86_400, "a", "/retail")
    # The page at 0 is 24 h old: gone from the list, whose TTL is exact, but inside the
    # window, whose far pane begins on the hour.
    assert answer.offers == {
        "Welcome": {
            "attributes": {"visits_24h": 3, "landing": "/help/sizes", "message": "Welcome to our shop!"},
            "batch_segments": None,
        }
    }
    assert answer.now_ms == (MONDAY + 86_400) * 1000
    assert "Welcome" not in shop.view(86_410, "a", "/retail", email="a@example.com").offers


def test_rid_is_minted_as_the_engine_mints_it() -> None:
    """A UUIDv7: the founding event's ms, then 74 bits of BLAKE2b of key, NUL and identifier."""
    process = handwritten([], "secret")
    answer = process({"time": 1_500_000_000, "email": "a@example.com", "td_path": "/"}, "web.pageviews")
    assert answer.rid == "015d3ef7-9800-72ae-a3f5-640ae3ac409c"


def test_invalid_identifiers_found_nothing(shop: Shop) -> None:
    """`null` as a client id is the SDK's way to have none."""
    assert shop.view(0, "null", "/retail").rid is None
    assert attributes(shop.view(1, "null", "/retail"), "Welcome")["visits_24h"] == 1
    assert shop.view(2, "null", email="not an address").rid is None
    assert shop.view(3, "null", email="a@example.com").rid is not None


def test_frequent_visitor_counts_a_week(shop: Shop) -> None:
    """The fifth view in a week; a late one counts; the category is that of the newest product."""
    shop.product(0, "a", "p1", 10.0, product_category="bags")
    for at in 100, 200:
        assert shop.view(at, "a").offers == {}
    assert shop.view(50, "a").offers == {}  # late: the fourth
    answer = shop.view(300, "a")
    assert attributes(answer, "Frequent visitor") == {"visits": 5, "category": "bags"}
    week = 7 * 86_400
    assert "Frequent visitor" in shop.view(week + 3_599, "a").offers  # all six since midnight
    assert shop.view(week + 3_600, "a").offers == {}  # the pane of the first hour has left


def test_viewed_lately_keeps_one_item_a_product(shop: Shop) -> None:
    """The newest view of a product is its place; a late one of the same product changes nothing."""
    shop.product(0, "a", "p1", 10.0)
    assert shop.product(10, "a", "p1", 11.0).offers == {}
    answer = shop.product(20, "a", "p2", 5.0)
    assert attributes(answer, "Viewed lately") == {"products": ["p1", "p2"], "top_price": 11.0}
    shop.product(5, "a", "p2", 99.0)
    answer = shop.product(30, "a", "p1", 1.0)
    assert attributes(answer, "Viewed lately") == {"products": ["p2", "p1"], "top_price": 5.0}


def test_complete_the_look_needs_an_order_and_the_category(shop: Shop) -> None:
    """After an order, a view of shoes; not of hats."""
    shop.order(0, "a", 10, "s1", "s2")
    assert "Complete the look" not in shop.product(10, "a", "p1", 10.0).offers
    answer = shop.product(20, "a", "p2", 10.0, product_category="shoes")
    assert attributes(answer, "Complete the look") == {"category": "shoes", "latest": "s2", "order": "O0"}


def test_loyalty_reads_the_row_of_the_customer_seen_last(shop: Shop) -> None:
    """C1 is gold, C2 bronze, C9 has no row; a negative amount is no purchase."""
    assert shop.order(0, "a", 49.5, "s1", customer_id="C1").offers == {}
    answer = shop.order(10, "a", 0.75, "s1")
    assert answer.offers["Loyalty discount"] == {
        "attributes": {"tier": "gold", "spend": 50.25, "total": 50.25},
        "batch_segments": [{"id": "1588215"}],
    }
    assert "Loyalty discount" in shop.order(20, "a", 1, "s1", customer_id="C9").offers
    assert "Loyalty discount" not in shop.order(30, "a", 1, "s1", customer_id="C2").offers
    assert shop.order(40, "a", -5, "s1", customer_id="C1").offers == {}


def test_big_spender_crosses_the_line_once(shop: Shop) -> None:
    """100 in a week, reached by this order; an order too old for the week crosses nothing."""
    assert shop.order(0, "a", 99.99, "s1").offers == {}
    answer = shop.order(10, "a", 0.01, "s2", "s1")
    assert attributes(answer, "Big spender") == {"spent": 100, "bought": ["s1", "s2"], "items": 3}
    assert shop.order(20, "a", 50, "s3").offers == {}
    assert shop.order(-8 * 86_400, "a", 500, "s4").offers == {}


def test_merge_is_as_if_joined_from_the_first_event(shop: Shop) -> None:
    """Two clients, each with products, orders and views; the e-mail joins them."""
    first = shop.product(0, "a", "p1", 10.0, email="x@example.com")
    second = shop.product(10, "b", "p2", 20.0)
    shop.product(20, "b", "p1", 30.0)
    shop.order(30, "a", 60, "s1")
    shop.order(40, "b", 39, "s2")
    assert first.rid != second.rid
    joined = shop.order(50, "b", 1, "s3", email="x@example.com")
    assert joined.rid == first.rid
    assert attributes(joined, "Big spender") == {"spent": 100, "bought": ["s1", "s2", "s3"], "items": 3}
    answer = shop.product(60, "b", "p3", 5.0)
    assert answer.rid == first.rid
    assert attributes(answer, "Viewed lately") == {"products": ["p2", "p1", "p3"], "top_price": 30.0}


def test_the_reference_model_agrees() -> None:
    """Event by event, over the beginning of the workload: late events, merges, invalid ids and all."""
    workload = retail_v1(40_000 if FULL else 1_000)
    reference = Reference(Config.parse(workload.config))
    reference.import_batch(workload.batch)
    process = handwritten(workload.batch)
    for number, (table, event) in enumerate(workload.events):
        expected, answer = reference.process(event, table=table), process(event, table)
        assert (expected.offers, expected.rid) == (answer.offers, answer.rid), f"event {number}"
