"""`identity`: links a second for a stream of (client, e-mail) pairs, against disjoint-set forests.

Every contender gets the same links in the same order and must end with the same partition. The
engine's side is what its generated code does: an event whose identifiers are known and on one profile
touches their times in place, every other one calls `stitch`. It does more than its peers: it
validates, mints rids, keeps when each identifier was seen, and says what changed.

`links-v1` is seeded: customers of 2 to 100 identifiers, 4 in the mean, half clients and half e-mails;
two links for each identifier, drawn within a customer and shuffled over all, so that no link is near the
last one of its customer. About half of the links change something. `links-new-v1` is the case that
suits us least: every link is between two identifiers that nobody has seen.

    REACTOR_BENCH=full pytest benchmarks/test_identity.py                          10^5 identifiers
    REACTOR_BENCH=full REACTOR_BENCH_IDENTIFIERS=10000000 pytest benchmarks/test_identity.py
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterable
from random import Random
from statistics import median
from typing import Any

import numpy as np
import pytest
from networkx.utils import UnionFind
from scipy.cluster.hierarchy import DisjointSet
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sizes import FULL, ROUNDS

from reactor.identity import KEYS, NEWEST, RID, Identity, KeyRule, Profile

Link = tuple[str, str]
Find = Callable[[str], object]

IDENTIFIERS = int(os.environ.get("REACTOR_BENCH_IDENTIFIERS", "100000" if FULL else "4000"))
CLIENT, EMAIL = KEYS, KEYS + 1
START_MS = 1_700_000_000_000


def links_v1(identifiers: int) -> list[Link]:
    """Return two links an identifier, within customers of 2 to 100 identifiers."""
    random = Random(20_240_101)
    links: list[Link] = []
    first = 0
    while first < identifiers:
        size = min(100, 2 + int(random.expovariate(0.5)))
        half = size // 2
        clients = [f"c{number:08d}" for number in range(first, first + half)]
        emails = [f"e{number:08d}@example.com" for number in range(first + half, first + size)]
        links += [(random.choice(clients), random.choice(emails)) for _ in range(2 * size)]
        first += size
    random.shuffle(links)
    return links


def links_new_v1(identifiers: int) -> list[Link]:
    """Return a link for every two identifiers, each of which occurs once."""
    return [(f"c{number:08d}", f"e{number:08d}@example.com") for number in range(identifiers // 2)]


def by_reactor(links: list[Link]) -> Find:
    """Stitch as the generated code does, over rows that hold no attribute."""
    identity = Identity(
        [KeyRule("client"), KeyRule("email")],
        lookup=None,
        secret="benchmark",
        associations=200,
        identifier_bytes=512,
        instance="benchmark",
        new=lambda rid, time_ms: [rid, time_ms, time_ms, None, None, None],
        merge=lambda survivor, absorbed: survivor.copy(),
    )
    clients, emails = identity.index
    of_client, of_email, stitch = clients.get, emails.get, identity.stitch
    time_ms = START_MS
    for client, email in links:
        time_ms += 1
        profile = of_client(client)
        if profile is None or profile is not of_email(email):
            profile = stitch((client, email), time_ms).profile
            profile[NEWEST] = time_ms
        else:
            profile[NEWEST] = profile[CLIENT][client] = profile[EMAIL][email] = time_ms

    def find(identifier: str) -> object:
        found: Profile = (of_client if identifier[0] == "c" else of_email)(identifier)
        return found[RID]

    return find


def by_scipy(links: list[Link]) -> Find:
    """Merge with scipy, which wants both added first."""
    forest = DisjointSet()
    add, merge, known = forest.add, forest.merge, forest._indices
    for client, email in links:
        if client not in known:
            add(client)
        if email not in known:
            add(email)
        merge(client, email)
    return forest.__getitem__


def by_networkx(links: list[Link]) -> Find:
    """Unite with networkx."""
    forest = UnionFind()
    union = forest.union
    for client, email in links:
        union(client, email)
    return forest.__getitem__


def by_disjoint_set(links: list[Link]) -> Find:
    """Unite with the package disjoint-set."""
    from disjoint_set import DisjointSet as Forest  # only here: a peer, no dependency

    forest = Forest()
    union = forest.union
    for client, email in links:
        union(client, email)
    return forest.find


CONTENDERS: dict[str, Callable[[list[Link]], Find]] = {
    "reactor": by_reactor,
    "scipy": by_scipy,
    "networkx": by_networkx,
    "disjoint-set": by_disjoint_set,
}
BAR = ("scipy", "networkx")


def groups(identifiers: Iterable[str], find: Find) -> list[int]:
    """Return the partition as a number for each identifier: that of its group's first one."""
    numbers: dict[object, int] = {}
    return [numbers.setdefault(find(identifier), place) for place, identifier in enumerate(identifiers)]


def truth(identifiers: list[str], links: list[Link]) -> list[int]:
    """Return the same by scipy's connected components, without any forest."""
    places = {identifier: place for place, identifier in enumerate(identifiers)}
    pairs = np.array([(places[client], places[email]) for client, email in links]).T
    graph = coo_array((np.ones(len(links), np.int8), (pairs[0], pairs[1])), shape=(len(places),) * 2)
    _, labels = connected_components(graph, directed=False)
    return groups(identifiers, dict(zip(identifiers, labels.tolist(), strict=True)).__getitem__)


def race(links: list[Link], names: Iterable[str], rounds: int) -> dict[str, list[float]]:
    """Return the CPU seconds of each contender, in turn in every round; check what each found."""
    identifiers = list(dict.fromkeys(identifier for link in links for identifier in link))
    expected = truth(identifiers, links)
    costs: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for name in list(costs)[:: -1 if number % 2 else 1]:
            # The collector is on, for what a contender makes: not for the links, nor for its peers' modules.
            gc.collect()
            gc.freeze()
            begun = time.process_time()
            find = CONTENDERS[name](links)
            costs[name].append(time.process_time() - begun)
            gc.unfreeze()
            if number == 0:
                assert groups(identifiers, find) == expected, name
            del find
    return costs


@pytest.mark.parametrize("stream", [links_v1, links_new_v1])
def test_identity(benchmark: Any, say: list[str], stream: Callable[[int], list[Link]]) -> None:
    """The same partition from each; the cost of a link, and its ratio to the faster peer's."""
    links = stream(IDENTIFIERS)
    names = [name for name in CONTENDERS if name != "disjoint-set" or _installed("disjoint_set")]
    # At ten million identifiers one round takes minutes.
    rounds = min(ROUNDS, max(1, 2_000_000 // IDENTIFIERS))
    costs = benchmark.pedantic(race, args=(links, names, rounds), rounds=1)
    ratios = [
        own / min(peers) for own, *peers in zip(costs["reactor"], *(costs[name] for name in BAR), strict=True)
    ]
    cost_us = {name: median(seconds) / len(links) * 1e6 for name, seconds in costs.items()}
    benchmark.extra_info.update(ratio=median(ratios), link_us=cost_us)
    shown = ", ".join(f"{name} {cost:.2f}" for name, cost in cost_us.items())
    say.append(
        f"{IDENTIFIERS:,} identifiers: {shown} us a link; {1e6 / cost_us['reactor']:,.0f} links/s, "
        f"{median(ratios):.2f} times the faster of {' and '.join(BAR)} "
        f"({min(ratios):.2f} to {max(ratios):.2f} in {rounds} rounds)"
    )


def _installed(module: str) -> bool:
    try:
        __import__(module)
    except ImportError:
        return False
    return True
