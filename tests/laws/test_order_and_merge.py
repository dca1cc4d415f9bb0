"""L1 and L2: neither the order of arrival nor the time of a merge can be told from what is read."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from states import HALF, Event, answers, draw_events, take

from reactor import Reactor
from reactor.spec import load_config
from reactor.testing.histories import Times, make_event, make_rows
from reactor.testing.strategies import Choice, make_config

SEEDS = st.integers(0, 2**32)
# Read soon after the last event, and when most windows have moved on.
AFTER = (None, 2, 5_000, 3_600, 86_400, 4 * 86_400)


def late_reads(random: Random, newest_ms: int) -> list[object]:
    """Return times to read at, none before the newest event."""
    return [None if seconds is None else newest_ms / 1000 + seconds for seconds in random.sample(AFTER, 3)]


@given(SEEDS)
def test_l1_order(seed: int) -> None:
    """The same events in any order give the same partition, attributes and `created`.

    Would catch: a late event that overwrites a newer one, a pane folded too early, a clear or a
    delete that only reaches what is there, capacity that counts by arrival.
    """
    random = Random(seed)
    config = load_config(make_config(random, Choice(remembering=True)))
    rows = make_rows(random, lookup_key=str(config.lookup_key))
    times = Times(random, distinct=True)
    events = [make_event(random, times.draw()) for _ in range(random.randint(2, 30))]
    shuffled = random.sample(events, len(events))
    engines = []
    for order in (events, shuffled):
        engine = Reactor(config)
        engine.import_batch(rows)
        engines.append(take(engine, order))
    for now in late_reads(random, times.now_ms):
        first, second = (answers(engine, now, rid=False) for engine in engines)
        assert first == second


@HALF
@given(SEEDS)
def test_l1_ties(seed: int) -> None:
    """Where times are equal, the partition, counters and `created` are the same in any order."""
    random = Random(seed)
    config = load_config(make_config(random, Choice(remembering=True)))
    events = draw_events(random, random.randint(2, 30), distinct=False)
    read = []
    for order in (events, random.sample(events, len(events))):
        engine = take(Reactor(config), order)
        found: Any = answers(engine, None, rid=False)
        read.append({keys: (created, counters(parts)) for keys, (created, _, parts) in found.items()})
    assert read[0] == read[1]


def counters(parts: dict[str, object]) -> dict[str, object]:
    """Return the parts that are counters without a backfill, which reads a row by ties of its own."""
    return {name: value for name, value in parts.items() if name.startswith("counter")}


def linked(random: Random, events: list[Event], newest_ms: int) -> tuple[list[Event], list[Event]]:
    """Return two histories: each client's own profile until links at the end, and one profile throughout."""
    clients = dict.fromkeys(str(event["client"]) for _, event in events if event.get("client"))
    links: list[Event] = []
    for number, client in enumerate(random.sample(sorted(clients), len(clients))):
        time_ms = newest_ms + 1 + number
        links.append(
            (
                "chat.notes",
                {"client": client, "guest": "all", "time": f"{time_ms // 1000}.{time_ms % 1000:03d}"},
            )
        )
    together: list[Event] = [("chat.notes", {**event, "guest": "all"}) for _, event in links]
    apart = [*events, *links]
    joined = [(table, {**event, "invoice": "all", "guest": "all"}) for table, event in events]
    return apart, [*joined, *together]


@given(SEEDS)
def test_l2_merge(seed: int) -> None:
    """Profiles joined late read as if joined from the first event; in time order with the same rid.

    Would catch: a merge that keeps the older value, adds a pane twice or drops one, forgets what one
    side had cleared or deleted, trims before it hides, or lets the younger profile survive.
    """
    random = Random(seed)
    mapping = make_config(random, Choice(remembering=True))
    config = load_config(mapping)
    in_order = random.random() < 0.5
    times = Times(random, distinct=True, late=0 if in_order else 0.25)
    drawn = [make_event(random, times.draw(), junk=0) for _ in range(random.randint(2, 30))]
    events = [(table, only_client(random, event)) for table, event in drawn]
    apart, joined = linked(random, events, times.now_ms)
    first, second = take(Reactor(config), apart), take(Reactor(config), joined)
    for now in late_reads(random, times.now_ms + len(events)):
        one, other = (answers(engine, now, rid=in_order) for engine in (first, second))
        assert one == other
    assert len(one) == 1


def only_client(random: Random, event: dict[str, object]) -> dict[str, object]:
    """Return the event with a client for its only identifier."""
    names = ("mail", "mail_raw", "guest", "invoice", "customer")
    rest = {name: value for name, value in event.items() if name not in names}
    # The made column `guest` is an invoice, unless the event has a customer.
    return {**rest, "client": random.choice(("c1", "c2", "c3"))}


def test_l2_a_merge_hides_what_either_side_deleted() -> None:
    """A delete that the merge itself would forget still reaches the items that were there before it.

    Profile A deletes x at 5; B holds x since 3, and deletes y at 6. Joined from the first event, the
    delete of x finds the item, and only then the delete of y takes its place in a memory of one.
    """
    config = {
        "version": 1,
        "name": "memory",
        "identity": {"keys": {"a": {}, "b": {}}},
        "key_events": {
            "add": {"table": "t", "where": "kind = 'add'"},
            "drop": {"table": "t", "where": "kind = 'drop'"},
        },
        "attributes": {
            "l": {
                "type": "list",
                "on": "add",
                "item": "v",
                "delete_on": "drop",
                "max_items": 1,
                "aggregations": {"all": {"distinct": "item"}},
            }
        },
    }
    engine = Reactor(config)
    for event in (
        {"a": "1", "kind": "drop", "v": "x", "time": 5},
        {"b": "1", "kind": "add", "v": "x", "time": 3},
        {"b": "1", "kind": "drop", "v": "y", "time": 6},
        {"a": "1", "b": "1", "kind": "none", "time": 7},
    ):
        engine.process(event, table="t")
    view = engine.profile({"a": "1"})
    assert view is not None
    assert view.attributes == {"l.all": []}
