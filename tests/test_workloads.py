"""The workloads are the same everywhere, and hold what they say they hold."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from itertools import islice

import msgspec

from reactor.testing.workloads import ORDERS, PAGES, START_S, Workload, profiles_v1, retail_config, retail_v1

EVENTS = 20_000
WORKLOAD = retail_v1(EVENTS)


def digest(value: object) -> str:
    """Return a short hash of the JSON text."""
    return sha256(msgspec.json.encode(value)).hexdigest()[:16]


def test_the_events_never_change() -> None:
    """Figures of different days are comparable: another generator gets another name."""
    assert digest(WORKLOAD.events) == "369ab2dee7702647"
    assert digest(WORKLOAD.batch) == "825764252dbe0203"
    assert digest(WORKLOAD.config) == "ccf3c29dc8ff59c2"
    assert digest(list(profiles_v1(count=1_000))) == "44e84cd9a5151573"


def test_fewer_events_are_the_beginning_of_more() -> None:
    """A small run sees the first events of the large one; another seed sees others."""
    assert retail_v1(500).events == WORKLOAD.events[:500]
    assert retail_v1(500).batch == WORKLOAD.batch
    assert retail_v1(500, seed=2).events != WORKLOAD.events[:500]


def share(workload: Workload, column: str) -> float:
    """Return the part of the events that have a column."""
    return sum(column in event for _, event in workload.events) / len(workload.events)


def test_shares() -> None:
    """E-mail on 20 % of the events, one in ten an order, two in five a product view."""
    assert round(share(WORKLOAD, "email"), 2) == 0.2
    assert round(share(WORKLOAD, "product"), 1) == 0.4
    tables = Counter(table for table, _ in WORKLOAD.events)
    assert tables.keys() == {PAGES, ORDERS}
    assert round(tables[ORDERS] / EVENTS, 1) == 0.1


def test_events_look_like_those_of_a_shop() -> None:
    """4 to 7 columns and about 150 bytes; whole seconds; one in a hundred out of place."""
    assert {len(event) for _, event in WORKLOAD.events} == {4, 5, 6, 7}
    size = sum(len(msgspec.json.encode(event)) for _, event in WORKLOAD.events) / EVENTS
    assert 140 <= size <= 165
    times = [event["time"] for _, event in WORKLOAD.events]
    assert all(type(time) is int for time in times)
    newest, late = 0, 0
    for time in times:
        late += time < newest
        newest = max(newest, time)
    assert 0.009 <= late / EVENTS <= 0.011


def test_one_client_in_a_thousand_is_null() -> None:
    """The text the web SDK sends where it has no id."""
    nulls = sum(event["td_client_id"] == "null" for _, event in WORKLOAD.events)
    assert 10 <= nulls <= 30


def test_some_orders_are_returns() -> None:
    """A negative amount matches no key event."""
    amounts = [event["amount"] for table, event in WORKLOAD.events if table == ORDERS]
    assert 0.01 <= sum(amount < 0 for amount in amounts) / len(amounts) <= 0.03


def test_config_has_the_stated_parts() -> None:
    """3 key events, 10 attributes with 6 aggregations and 4 sub-windows, 6 sections."""
    config = msgspec.convert(retail_config(), dict[str, object])
    attributes = msgspec.convert(config["attributes"], dict[str, dict[str, object]])
    kinds = Counter(attribute["type"] for attribute in attributes.values())
    assert kinds == {"single": 2, "list": 3, "counter": 3, "total": 1, "imported": 1}
    assert sum(len(attribute.get("aggregations", ())) for attribute in attributes.values()) == 6
    assert sum(len(attribute.get("sub_windows", ())) for attribute in attributes.values()) == 4
    assert len(msgspec.convert(config["key_events"], dict[str, object])) == 3
    groups = msgspec.convert(config["personalizations"], dict[str, dict[str, dict[str, object]]])
    assert sum(len(group["sections"]) for group in groups.values()) == 6


def test_profiles_have_two_identifiers_and_four_events() -> None:
    """Every profile: one client id, one e-mail, four events in the order of time."""
    events = [event for _, event in profiles_v1(count=200)]
    assert len(events) == 800
    assert set(Counter(event["td_client_id"] for event in events).values()) == {4}
    assert len({event["email"] for event in events if "email" in event}) == 200
    assert not any("customer_id" in event for event in events)
    times = [event["time"] for event in events]
    assert times == sorted(times)
    assert times[0] == START_S


def test_profiles_are_made_one_at_a_time() -> None:
    """A million profiles are never held as events."""
    table, event = next(islice(profiles_v1(), 1))
    assert table == PAGES
    assert event["td_path"] == "/retail"
