"""Who the events are about: profiles over time, found in one pass over what events carry that is new.

Events with the same identifiers belong to the same profile, and only the first of them can change
anything while nothing is ever taken from a profile. So the engine's own identity sees the first event
of each tuple of identifiers, in order of time. What comes out is a forest of *nodes*:

    node 0 ── node 2 ──────── node 5        a node is a profile between two merges;
    node 1 ──┘         node 3 ──┘           its parent the one it was merged into, from an event on

A profile that could have had more associations than the config allows is marked: what was taken from
it is not known here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from reactor.identity import KEYS, MISNAMED, NULL, RID, Identity, Stitched
from reactor.identity import Row as LogRow
from reactor.replay.columns.column import Rows
from reactor.replay.columns.events import EventTable
from reactor.replay.columns.ordering import combined_codes

NOBODY = -1


class Node(msgspec.Struct):
    """A profile from one event, its founding or a merge, until it is merged into another.

    begin: place of that event in the history. children: the nodes merged in it, by rid.
    """

    rid: int
    begin: int
    children: tuple[int, ...] = ()
    parent: int = -1


class Change(msgspec.Struct, frozen=True):
    """The rows that the log has of one event."""

    place: int
    node: int
    rows: list[LogRow]


class Versions(msgspec.Struct):
    """The values of one key as they changed: the events, and the values after each and before it.

    A profile's values after an event are those after its last change; None is none.
    """

    events: list[int]
    after: list[dict[str, None] | None]
    before: list[dict[str, None] | None]


class Joined(msgspec.Struct):
    """Identity over a whole history.

    nodes: in the order in which they came to be. node_of: the node of each event, NOBODY for none.
    """

    nodes: list[Node]
    node_of: NDArray[np.int64]
    changes: list[Change]
    versions: dict[int, Versions]  # by key, of those that are asked for
    failures: Counter[tuple[str, str]]
    crowded: set[int]
    joined_lookups: dict[int, list[tuple[int, str]]]


class Joiner:
    """Runs an identity over the tuples of a history.

    identity: with batch rows loaded, and no bound on associations.
    """

    def __init__(
        self,
        identity: Identity,
        tables: Sequence[EventTable],
        times: NDArray[np.int64],
        *,
        associations: int,
        kept_keys: Collection[int],
        keeps_log: bool,
        lookup: int | None,
    ) -> None:
        self._identity = identity
        self._tables = tables
        self._times = times
        self._associations = associations
        self._kept_keys = kept_keys
        self._keeps_log = keeps_log
        self._lookup = lookup
        self._nodes: list[Node] = []
        self._node_of_rid: dict[int, int] = {}
        self._changes: list[Change] = []
        self._versions = {k: Versions([], [], []) for k in kept_keys}
        self._failures: list[tuple[int, int, str, str, int]] = []
        self._joined_lookups: dict[int, list[tuple[int, str]]] = {}

    def run(self) -> Joined:
        node_of = np.full(len(self._times), NOBODY, dtype=np.int64)
        tuples: list[tuple[int, int, tuple[Any, ...], int]] = []
        numbered: list[Rows] = []
        start = 0
        for table in self._tables:
            numbers, firsts, counts, values = _tuples(table)
            self._misnamed(table)
            places = table.places[firsts].tolist()
            tuples += zip(places, range(start, start + len(places)), values, counts.tolist(), strict=True)
            numbered.append(numbers + start)
            start += len(places)
        initial = self._stitch_all(tuples)
        for table, numbers in zip(self._tables, numbered, strict=True):
            node_of[table.places] = initial[numbers]
        self._follow(node_of)
        return Joined(
            self._nodes,
            node_of,
            self._changes,
            self._versions,
            self._counted_failures(),
            self._crowded(),
            self._joined_lookups,
        )

    def _stitch_all(self, tuples: list[tuple[int, int, tuple[Any, ...], int]]) -> NDArray[np.int64]:
        tuples.sort()
        times = self._times[np.array([place for place, *_ in tuples], dtype=np.int64)].tolist()
        initial = np.full(len(tuples), NOBODY, dtype=np.int64)
        stitch, node_of_rid = self._identity.stitch, self._node_of_rid
        for (place, number, values, count), time in zip(tuples, times, strict=True):
            stitched = stitch(values, time)
            for key, _, reason in stitched.failures:
                self._failures.append((place, 1, key, reason, count))
            profile = stitched.profile
            if profile is None:
                continue
            if stitched.new or stitched.merged:
                self._note(place, time, stitched)
            initial[number] = node_of_rid[profile[RID]]
        return initial

    def _note(self, place: int, time: int, stitched: Stitched) -> None:
        profile = stitched.profile
        assert profile is not None
        rid = profile[RID]
        if stitched.founded or stitched.merged:
            children = (
                () if stitched.founded else tuple(self._node_of_rid[each] for each in (rid, *stitched.merged))
            )
            node = len(self._nodes)
            for child in children:
                self._nodes[child].parent = node
            self._nodes.append(Node(rid, place, children))
            self._node_of_rid[rid] = node
        node = self._node_of_rid[rid]
        # What the log says of the event's tracking id is filled in by whoever writes the rows.
        if self._keeps_log:
            self._changes.append(Change(place, node, self._identity.id_changes(stitched, time)))
        if self._lookup is not None:
            joined = [value for k, value in stitched.joined if k == self._lookup]
            if joined:
                self._joined_lookups.setdefault(node, []).extend((place, value) for value in joined)
        if self._kept_keys:
            self._keep(place, stitched)

    def _keep(self, place: int, stitched: Stitched) -> None:
        """Note the values of the keys that are asked for."""
        profile = stitched.profile
        assert profile is not None
        first_seen = {*stitched.new, *stitched.joined}
        for k, versions in self._versions.items():
            seen = profile[KEYS + k]
            versions.events.append(place)
            if not seen:
                versions.after.append(None)
                versions.before.append(None)
                continue
            values = sorted(seen)  # as they go out
            versions.after.append(dict.fromkeys(values))
            earlier = dict.fromkeys([value for value in values if (k, value) not in first_seen])
            versions.before.append(earlier or None)

    def _follow(self, node_of: NDArray[np.int64]) -> None:
        """Move events from the node of their identifiers' first event to the one they find."""
        if not self._nodes:
            return
        parent = np.array([node.parent for node in self._nodes], dtype=np.int64)
        begin = np.array([node.begin for node in self._nodes], dtype=np.int64)
        places = np.flatnonzero(node_of >= 0)
        while len(places):
            above = parent[node_of[places]]
            moves = (above >= 0) & (begin[above] <= places)
            places = places[moves]
            node_of[places] = above[moves]

    def _crowded(self) -> set[int]:
        """Return the last nodes of profiles that may have been too large."""
        most = self._associations
        found = set()
        for profile in self._identity.profiles():
            held = sum(len(seen) for seen in profile[KEYS - 1 : KEYS + self._identity.key_count] if seen)
            if held > most:
                found.add(self._node_of_rid[profile[RID]])
        return found

    # Failures

    def _misnamed(self, table: EventTable) -> None:
        for name in self._identity.misnamed(table.names()):
            raw = table.raw(name)
            is_there = [value is not None for value in raw.values]
            hits = np.flatnonzero(np.array([*is_there, False])[raw.codes])
            if len(hits):
                place = int(table.places[hits[0]])
                self._failures.append((place, 0, name, MISNAMED, len(hits)))

    def _counted_failures(self) -> Counter[tuple[str, str]]:
        """Count failures by key and reason, in the order in which they were first met."""
        counted: Counter[tuple[str, str]] = Counter()
        self._failures.sort(key=lambda failure: failure[:2])
        for _, _, key, reason, count in self._failures:
            counted[key.encode(errors="backslashreplace").decode(), reason] += count
        return counted


def _tuples(table: EventTable) -> tuple[Rows, Rows, NDArray[np.int64], list[tuple[Any, ...]]]:
    """Return the number of each row's tuple of identifiers; of each tuple its first row, count and values."""
    columns = table.identifiers()
    shown = [found for found in columns if found is not None]
    numbers, firsts = combined_codes([(found.codes, len(found.values)) for found in shown], len(table))
    taken = []
    for found in columns:
        if found is None:
            taken.append([None] * len(firsts))
            continue
        known = [*(NULL if value is None else value for value in found.values), None]
        taken.append([known[code] for code in found.codes[firsts].tolist()])
    counts = np.bincount(numbers, minlength=len(firsts))
    return numbers, firsts, counts, list(zip(*taken, strict=True)) if taken else [()] * len(firsts)
