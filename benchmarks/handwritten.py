"""The loop a careful programmer would write by hand for retail-v1: the yardstick of `live`.

It answers the events of `reactor.testing.workloads.retail_v1` as the engine answers them,
offer by offer, and knows nothing else: no other config, no audience, no lock, no count of
unusable values, no cap of associations, no text of 3 KB. What the workload holds it
handles: identifiers seen for the first time, invalid ones, merges, late events, windows, TTLs.

A profile is one flat list; an identifier points straight at it. A counter is two lists,

    starts  [0, 29146, 29150]     number of the pane's first minute (hour, day); 0 stands for "before"
    sums    [0, 0, 2, 3]          cumulative: sums[i] is what came before starts[i]

so a window is one bisection. The way of an event is one long function, for a call costs as
much as two windows; only what is rare has a function of its own. Times are whole seconds, as
they are in the events.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from itertools import accumulate
from operator import itemgetter, sub
from typing import Any

import msgspec

Row = list[Any]
Event = Mapping[str, Any]

HOUR_S, DAY_S, WEEK_S = 3_600, 86_400, 7 * 86_400
DAYS_30_S, DAYS_60_S = 30 * DAY_S, 60 * DAY_S
MICRO = 1_000_000  # sums of money are kept in millionths, the default `decimals: 6`
FIFTY, HUNDRED = 50 * MICRO, 100 * MICRO
TRIM = 256  # panes of a counter before those that no window reaches are dropped

# Slots of a profile.
RID, CREATED, NEWEST, CLIENTS, EMAILS, CUSTOMERS = range(6)
CATEGORY, CATEGORY_AT, ORDER, ORDER_AT = range(6, 10)
PAGES_AT, PAGES, VISIT_STARTS, VISIT_SUMS = range(10, 14)
PRODUCTS_AT, PRODUCTS, PRICES, VIEW_STARTS, VIEW_SUMS = range(14, 19)
BOUGHT_AT, BOUGHT, SPEND_STARTS, SPEND_SUMS, TOTAL_STARTS, TOTAL_SUMS = range(19, 25)


class Answer(msgspec.Struct):
    """What one event is answered: the offers, the profile's rid or None, the reading time."""

    offers: dict[str, Any]
    rid: str | None
    now_ms: int


def handwritten(batch: Iterable[Event], secret: str = "retail-v1") -> Callable[[Event, str], Answer]:
    """Return `process(event, table)` over an empty set of profiles and the given batch rows."""
    clients: dict[Any, Row] = {}
    emails: dict[Any, Row] = {}
    customers: dict[Any, Row] = {}
    imported = {row["customer_id"]: (row["tier"], frozenset(row["segments"])) for row in batch}
    find = _stitcher(clients, emails, customers, secret)
    return _processor(clients, emails, customers, imported, find)


def _processor(
    clients: dict[Any, Row],
    emails: dict[Any, Row],
    customers: dict[Any, Row],
    imported: dict[str, tuple[str, frozenset[str]]],
    stitch: Callable[..., Row],
) -> Callable[[Event, str], Answer]:
    find_client, find_email, find_customer = clients.get, emails.get, customers.get
    order_late = _order_late

    def process(event: Event, table: str) -> Answer:
        time = event["time"]
        get = event.get
        client = get("td_client_id")
        email = get("email")
        customer = get("customer_id")

        # Identity: the common event names identifiers of one profile that is known.
        row = find_client(client)
        if (
            row is None
            or (email is not None and find_email(email) is not row)
            or (customer is not None and find_customer(customer) is not row)
        ):
            row = stitch(time, client, email, customer)
        elif customer is not None and row[CUSTOMERS][customer] < time:
            row[CUSTOMERS][customer] = time

        now = row[NEWEST]
        if time >= now:
            row[NEWEST] = now = time
            late = False
        else:
            late = True
            if time < row[CREATED]:
                row[CREATED] = time

        offers: dict[str, Any] = {}
        if table == "web.pageviews":
            path = event["td_path"]
            product_view = path.startswith("/retail/") and path.find("/product/", 8) > 0
            if late:
                _view_late(row, event, time, product_view)
            else:
                minute = time // 60
                starts = row[VISIT_STARTS]
                if starts[-1] == minute:
                    row[VISIT_SUMS][-1] += 1
                else:
                    starts.append(minute)
                    sums = row[VISIT_SUMS]
                    sums.append(sums[-1] + 1)
                    if len(starts) > TRIM:
                        _trim(starts, sums, minute - 8 * 24 * 60)
                times = row[PAGES_AT]
                times.append(time)
                row[PAGES].append(path)
                if len(times) > 10:
                    del times[0], row[PAGES][0]
                if product_view:
                    row[CATEGORY] = get("product_category")
                    row[CATEGORY_AT] = time
                    starts = row[VIEW_STARTS]
                    if starts is None:
                        row[PRODUCTS_AT] = [time]
                        row[PRODUCTS] = [get("product")]
                        row[PRICES] = [get("price")]
                        row[VIEW_STARTS] = [minute]
                        row[VIEW_SUMS] = [0, 1]
                    else:
                        if starts[-1] == minute:
                            row[VIEW_SUMS][-1] += 1
                        else:
                            starts.append(minute)
                            sums = row[VIEW_SUMS]
                            sums.append(sums[-1] + 1)
                            if len(starts) > TRIM:
                                _trim(starts, sums, minute - 2 * 24 * 60)
                        product = get("product")
                        times = row[PRODUCTS_AT]
                        products = row[PRODUCTS]
                        if product in products:
                            place = products.index(product)
                            del times[place], products[place], row[PRICES][place]
                        elif len(times) == 20:
                            del times[0], products[0], row[PRICES][0]
                        times.append(time)
                        products.append(product)
                        row[PRICES].append(get("price"))

            # Welcome: the page is the shop's first; nobody known; visits.day <= 12.
            if path == "/retail" and not row[EMAILS]:
                sums = row[VISIT_SUMS]
                day = sums[-1] - sums[bisect_left(row[VISIT_STARTS], (now - DAY_S) // HOUR_S * 60)]
                if day <= 12:
                    times = row[PAGES_AT]
                    place = 0 if times[0] > now - DAY_S else bisect_right(times, now - DAY_S)
                    landing = row[PAGES][place] if place < len(times) else None
                    offers["Welcome"] = {
                        "attributes": {
                            "visits_24h": day,
                            "landing": landing,
                            "message": "Welcome to our shop!",
                        },
                        "batch_segments": None,
                    }
            # Frequent visitor: visits >= 5 and visits.hour <= 12.
            sums = row[VISIT_SUMS]
            starts = row[VISIT_STARTS]
            visits = sums[-1] - sums[bisect_left(starts, (now - WEEK_S) // HOUR_S * 60)]
            if visits >= 5 and sums[-1] - sums[bisect_left(starts, (now - HOUR_S) // 60)] <= 12:
                category = row[CATEGORY]
                if category is None or now - row[CATEGORY_AT] >= DAYS_60_S:
                    category = "none"
                offers["Frequent visitor"] = {
                    "attributes": {"visits": visits, "category": category},
                    "batch_segments": None,
                }
            if product_view:
                # Viewed lately: product_views >= 2 and two different products.
                sums = row[VIEW_SUMS]
                starts = row[VIEW_STARTS]
                if sums[-1] - sums[bisect_left(starts, (now - DAY_S) // HOUR_S * 60)] >= 2:
                    times = row[PRODUCTS_AT]
                    products = row[PRODUCTS]
                    place = 0 if times[0] > now - DAYS_30_S else bisect_right(times, now - DAYS_30_S)
                    if len(products) - place >= 2:
                        top_price = max(row[PRICES][place:])
                        offers["Viewed lately"] = {
                            "attributes": {"products": products[place:], "top_price": top_price},
                            "batch_segments": None,
                        }
                # Complete the look: product_views.hour >= 1 and bought.number >= 1.
                if (
                    get("product_category") in ("shoes", "coats", "shirts")
                    and row[BOUGHT_AT] is not None
                    and sums[-1] - sums[bisect_left(starts, (now - HOUR_S) // 60)] >= 1
                    and row[BOUGHT_AT][-1] > now - DAYS_60_S
                ):
                    category = row[CATEGORY] if now - row[CATEGORY_AT] < DAYS_60_S else None
                    offers["Complete the look"] = {
                        "attributes": {"category": category, "latest": row[BOUGHT][-1], "order": row[ORDER]},
                        "batch_segments": None,
                    }
        elif table == "web.orders":
            amount = event["amount"]
            if amount > 0:
                micros = amount * MICRO if amount.__class__ is int else round(amount * MICRO)
                if late or row[BOUGHT_AT] is None:
                    order_late(row, event, time, micros)
                else:
                    row[ORDER] = get("order_id")
                    row[ORDER_AT] = time
                    skus = event["skus"]
                    row[BOUGHT].extend(skus)
                    times = row[BOUGHT_AT]
                    times.extend([time] * len(skus))
                    if len(times) > 50:
                        del times[:-50], row[BOUGHT][:-50]
                    hour = time // HOUR_S
                    starts = row[SPEND_STARTS]
                    if starts[-1] == hour:
                        row[SPEND_SUMS][-1] += micros
                    else:
                        starts.append(hour)
                        sums = row[SPEND_SUMS]
                        sums.append(sums[-1] + micros)
                        if len(starts) > TRIM:
                            _trim(starts, sums, hour - 31 * 24)
                    day = time // DAY_S
                    starts = row[TOTAL_STARTS]
                    if starts[-1] == day:
                        row[TOTAL_SUMS][-1] += micros
                    else:
                        starts.append(day)
                        sums = row[TOTAL_SUMS]
                        sums.append(sums[-1] + micros)
                        if len(starts) > TRIM:
                            _trim(starts, sums, day - 61)

                # Loyalty discount: tier is gold or silver and spend >= 50.
                sums = row[SPEND_SUMS]
                starts = row[SPEND_STARTS]
                if row[CUSTOMERS]:
                    tier, segments = _imported(row, imported)
                    if tier == "gold" or tier == "silver":
                        spend = sums[-1] - sums[bisect_left(starts, (now - DAYS_30_S) // HOUR_S)]
                        if spend >= FIFTY:
                            totals = row[TOTAL_SUMS]
                            low = (now - DAYS_60_S) // DAY_S
                            total = totals[-1] - totals[bisect_left(row[TOTAL_STARTS], low)]
                            offers["Loyalty discount"] = {
                                "attributes": {"tier": tier, "spend": spend / MICRO, "total": total / MICRO},
                                "batch_segments": [
                                    {"id": name} for name in ("1588214", "1588215") if name in segments
                                ],
                            }
                # Big spender: spend.week crosses 100 with this order.
                low = (now - WEEK_S) // HOUR_S
                week = sums[-1] - sums[bisect_left(starts, low)]
                if week >= HUNDRED and (week - micros if time // HOUR_S >= low else week) < HUNDRED:
                    times = row[BOUGHT_AT]
                    place = 0 if times[0] > now - DAYS_60_S else bisect_right(times, now - DAYS_60_S)
                    bought = row[BOUGHT][place:] if place else row[BOUGHT]
                    offers["Big spender"] = {
                        "attributes": {
                            "spent": week / MICRO,
                            "bought": list(dict.fromkeys(bought)),
                            "items": len(bought),
                        },
                        "batch_segments": None,
                    }
        return Answer(offers, row[RID], now * 1000)

    return process


def _imported(row: Row, imported: dict[str, tuple[str, frozenset[str]]]) -> tuple[str | None, frozenset[str]]:
    """Return tier and segments of the customer id seen last among those that have a batch row."""
    seen = row[CUSTOMERS]
    if len(seen) == 1:
        for customer in seen:
            return imported.get(customer, (None, frozenset()))
    with_row = [(time, customer) for customer, time in seen.items() if customer in imported]
    return imported[max(with_row)[1]] if with_row else (None, frozenset())


def _trim(starts: list[int], sums: list[int], low: int) -> None:
    place = bisect_left(starts, low)
    del starts[:place], sums[:place]


def _stitcher(
    clients: dict[Any, Row], emails: dict[Any, Row], customers: dict[Any, Row], secret: str
) -> Callable[[int, Any, Any, Any], Row]:
    # For this pattern the standard library agrees with RE2, and is quicker from Python.
    is_email = re.compile(r"[^@\s]+@[^@\s]+", re.ASCII).fullmatch

    names = ("td_client_id", "email", "customer_id")
    begun = {name: blake2b(f"{name}\0".encode(), key=secret.encode(), digest_size=10) for name in names}

    def found(time: int, name: str, value: str) -> Row:
        hashing = begun[name].copy()
        hashing.update(value.encode())
        return _new(_rid(time * 1000, hashing.digest()), time)

    def stitch(time: int, client: Any, email: Any, customer: Any) -> Row:
        """Attach, found or merge: what an event with an identifier new to its profile needs."""
        if email is None and customer is None and client.__class__ is str:
            if not client or client in ("null", "undefined"):
                return _new(None, time)
            row = clients[client] = found(time, "td_client_id", client)
            row[CLIENTS].append(client)
            return row
        return join(time, client, email, customer)

    def join(time: int, client: Any, email: Any, customer: Any) -> Row:
        pairs: list[tuple[dict[Any, Row], int, str, str]] = []
        if client.__class__ is str and client and (client in clients or client not in ("null", "undefined")):
            pairs.append((clients, CLIENTS, "td_client_id", client))
        if email.__class__ is str and email and (email in emails or is_email(email)):
            pairs.append((emails, EMAILS, "email", email))
        if customer.__class__ is str and customer:
            pairs.append((customers, CUSTOMERS, "customer_id", customer))
        if not pairs:
            return _new(None, time)
        known: dict[str, Row] = {}
        for index, _, _, value in pairs:
            row = index.get(value)
            if row is not None:
                known[row[RID]] = row
        if not known:
            _, _, name, value = pairs[0]
            row = found(time, name, value)
        else:
            row = known.pop(min(known))
            for rid in sorted(known):
                absorbed = known[rid]
                _merge(row, absorbed)
                for value in absorbed[CLIENTS]:
                    clients[value] = row
                for value in absorbed[EMAILS]:
                    emails[value] = row
                for value in absorbed[CUSTOMERS]:
                    customers[value] = row
        for index, slot, _, value in pairs:
            if index.get(value) is not row:
                index[value] = row
                row[slot].update({value: 0}) if slot == CUSTOMERS else row[slot].append(value)
        if customer is not None:
            row[CUSTOMERS][customer] = max(time, row[CUSTOMERS][customer])
        return row

    return stitch


def _rid(time_ms: int, digest: bytes) -> str:
    bits = int.from_bytes(digest, "big") >> 6
    number = time_ms << 80 | 7 << 76 | bits >> 62 << 64 | 2 << 62 | bits & (1 << 62) - 1
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _new(rid: str | None, time: int) -> Row:
    row: Row = [rid, time, time, [], [], {}, None, 0, None, 0, [], [], [0], [0, 0]]
    row += [None] * (TOTAL_SUMS + 1 - PRODUCTS_AT)
    return row


def _view_late(row: Row, event: Event, time: int, product_view: bool) -> None:
    """Update with a page view that is older than the profile's newest event."""
    minute = time // 60
    _add_late(row[VISIT_STARTS], row[VISIT_SUMS], minute, 1)
    _insert(row[PAGES_AT], time, (row[PAGES],), (event["td_path"],), 10)
    if not product_view:
        return
    if row[CATEGORY] is None or time >= row[CATEGORY_AT]:
        row[CATEGORY], row[CATEGORY_AT] = event["product_category"], time
    if row[VIEW_STARTS] is None:
        row[PRODUCTS_AT : VIEW_SUMS + 1] = [[], [], [], [0], [0, 0]]
    _add_late(row[VIEW_STARTS], row[VIEW_SUMS], minute, 1)
    _insert_unique(row, time, event["product"], event["price"])


def _order_late(row: Row, event: Event, time: int, micros: int) -> None:
    """Update with an order, a profile's first or one that is older than its newest event."""
    if row[BOUGHT_AT] is None:
        row[BOUGHT_AT:] = [[], [], [0], [0, 0], [0], [0, 0]]
    if row[ORDER] is None or time >= row[ORDER_AT]:
        row[ORDER], row[ORDER_AT] = event["order_id"], time
    for sku in event["skus"]:
        _insert(row[BOUGHT_AT], time, (row[BOUGHT],), (sku,), 50)
    _add_late(row[SPEND_STARTS], row[SPEND_SUMS], time // HOUR_S, micros)
    _add_late(row[TOTAL_STARTS], row[TOTAL_SUMS], time // DAY_S, micros)


def _insert(
    times: list[int], time: int, columns: tuple[list[Any], ...], values: tuple[Any, ...], most: int
) -> None:
    place = bisect_right(times, time)
    times.insert(place, time)
    for column, value in zip(columns, values, strict=True):
        column.insert(place, value)
    if len(times) > most:
        for column in (times, *columns):
            del column[:-most]


def _insert_unique(row: Row, time: int, product: str, price: float) -> None:
    times, products, prices = row[PRODUCTS_AT], row[PRODUCTS], row[PRICES]
    if product in products:
        place = products.index(product)
        if times[place] > time:
            return
        del times[place], products[place], prices[place]
    _insert(times, time, (products, prices), (product, price), 20)


def _add_late(starts: list[int], sums: list[int], pane: int, weight: int) -> None:
    place = bisect_left(starts, pane)
    if place == len(starts) or starts[place] != pane:
        starts.insert(place, pane)
        sums.insert(place + 1, sums[place])
    sums[place + 1 :] = [total + weight for total in sums[place + 1 :]]


def _merge(row: Row, other: Row) -> None:
    """Fold `other` into `row`; at equal times the entries of `row` are the later ones."""
    row[CREATED] = min(row[CREATED], other[CREATED])
    row[NEWEST] = max(row[NEWEST], other[NEWEST])
    row[CLIENTS] += other[CLIENTS]
    row[EMAILS] += other[EMAILS]
    for customer, time in other[CUSTOMERS].items():
        row[CUSTOMERS][customer] = max(time, row[CUSTOMERS].get(customer, 0))
    for value, at in (CATEGORY, CATEGORY_AT), (ORDER, ORDER_AT):
        if other[value] is not None and (row[value] is None or other[at] > row[at]):
            row[value], row[at] = other[value], other[at]
    _merge_list(row, other, (PAGES_AT, PAGES), 10)
    _merge_panes(row, other, VISIT_STARTS)
    if other[VIEW_STARTS] is not None:
        if row[VIEW_STARTS] is None:
            row[PRODUCTS_AT : VIEW_SUMS + 1] = other[PRODUCTS_AT : VIEW_SUMS + 1]
        else:
            _merge_list(row, other, (PRODUCTS_AT, PRODUCTS, PRICES), 20, unique=True)
            _merge_panes(row, other, VIEW_STARTS)
    if other[BOUGHT_AT] is not None:
        if row[BOUGHT_AT] is None:
            row[BOUGHT_AT:] = other[BOUGHT_AT:]
        else:
            _merge_list(row, other, (BOUGHT_AT, BOUGHT), 50)
            _merge_panes(row, other, SPEND_STARTS)
            _merge_panes(row, other, TOTAL_STARTS)


def _merge_list(row: Row, other: Row, slots: tuple[int, ...], most: int, *, unique: bool = False) -> None:
    items = list(zip(*(other[slot] for slot in slots), strict=True))
    items += zip(*(row[slot] for slot in slots), strict=True)
    items.sort(key=itemgetter(0))  # stable: at equal times the row's own come last
    if unique:
        newest: dict[Any, tuple[Any, ...]] = {}
        for item in reversed(items):
            newest.setdefault(item[1], item)
        items = list(newest.values())[::-1]
    items = items[-most:]
    for place, slot in enumerate(slots):
        row[slot] = [item[place] for item in items]


def _merge_panes(row: Row, other: Row, slot: int) -> None:
    panes = dict(_weights(row, slot))
    for pane, weight in _weights(other, slot):
        panes[pane] = panes.get(pane, 0) + weight
    row[slot] = sorted(panes)
    row[slot + 1] = list(accumulate(map(panes.__getitem__, row[slot]), initial=0))


def _weights(row: Row, slot: int) -> Iterator[tuple[int, int]]:
    sums = row[slot + 1]
    return zip(row[slot], map(sub, sums[1:], sums), strict=False)
