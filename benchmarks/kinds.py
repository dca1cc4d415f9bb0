"""What an event of each kind costs, warm: where the engine and the loop by hand part.

    python benchmarks/kinds.py

Each kind is 3,000 alike events of retail-v1's shop over 100 clients, the collector off; the
least CPU time of nine runs. The figures are lower than those of `live`, whose profiles are
seldom in the processor's caches, but steady enough to see 0.1 us.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import msgspec
from contenders import CONTENDERS, Chunk

from reactor.testing.workloads import (
    ORDERS,
    PAGES,
    Event,
    TableEvent,
    batch_rows,
    customer_id,
    email,
    retail_config,
)

EVENTS, CLIENTS, RUNS = 3_000, 100, 9


def event(number: int, client: int, **columns: object) -> Event:
    """Return an event's first columns, and others."""
    return {"time": 1_750_000_000 + 7 * number, "td_client_id": f"{client:036d}"} | columns


def view(number: int, client: int, **columns: object) -> TableEvent:
    """Return a view of a page that is no product."""
    return PAGES, event(number, client, td_path="/help/sizes", td_title="Help: sizes", **columns)


def product(number: int, client: int) -> TableEvent:
    """Return a view of one of 37 products."""
    shown = number % 37
    columns = {"product": f"bags-{shown:04d}", "product_category": "bags", "price": 19.95 + shown}
    return PAGES, event(number, client, td_path=f"/retail/bags/product/{shown}", **columns)


def order(number: int, client: int) -> TableEvent:
    """Return an order of two items by a client who is known by all three keys."""
    known = {"email": email(client), "customer_id": customer_id(2 * client)}
    columns = {"order_id": f"O-{number}", "skus": ["sku-0001", "sku-0002"], "amount": 19.95}
    return ORDERS, event(number, client, **columns, **known)


def attach(number: int, client: int) -> TableEvent:
    """Return a client's first view, then one with an e-mail that nobody has."""
    columns = {"email": email(number)} if number % 2 else {}
    return view(number, number // 2, **columns)


def merge(number: int, client: int) -> TableEvent:
    """Return a new client's view, then one more that joins it to others by their e-mail."""
    columns = {"email": email(number // 40)} if number % 2 else {}
    return view(number, number // 2, **columns)


KINDS: dict[str, Callable[[int, int], TableEvent]] = {
    "view": view,
    "view with a known e-mail": lambda number, client: view(number, client, email=email(client)),
    "view of a product": product,
    "order": order,
    "new client": lambda number, client: view(number, number),
    "new client, new e-mail": lambda number, client: view(number, number, email=email(number)),
    "new client, then an e-mail": attach,
    "new client, then a merge": merge,
}


def main() -> None:
    """Print a line a kind: microseconds an event of both, their difference and their ratio."""
    print(f"{'kind':28}{'engine':>8}{'by hand':>9}{'more':>7}{'ratio':>7}")
    for name, make in KINDS.items():
        events = [make(number, number * 7_919 % CLIENTS) for number in range(EVENTS)]
        bodies = [(table, msgspec.json.encode(each)) for table, each in events]
        engine, by_hand = (least_us(contender, bodies) for contender in ("engine", "handwritten"))
        print(f"{name:28}{engine:8.2f}{by_hand:9.2f}{engine - by_hand:7.2f}{engine / by_hand:7.2f}")


def least_us(contender: str, bodies: list[tuple[str, bytes]]) -> float:
    """Return the least CPU time of an event in several runs over new state."""
    decode, times = msgspec.json.Decoder().decode, []
    config: Any = retail_config()
    for _ in range(RUNS):
        run = CONTENDERS[contender].make(config, batch_rows())
        chunk: Chunk = [(table, decode(body)) for table, body in bodies]
        gc.collect()
        gc.disable()
        begun = time.process_time_ns()
        run(chunk)
        times.append(time.process_time_ns() - begun)
        gc.enable()
    return min(times) / len(bodies) / 1_000


if __name__ == "__main__":
    main()
