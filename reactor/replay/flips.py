"""Examples of offers that differ, each with the criterion that flipped.

A criterion is a leaf of a section's criteria, of its key events' too. It has flipped where its truth at
the event is not the same under both configs. Truths and values come from `Reactor.explain`: a
public audience gets the truths of sensitive leaves, and never their values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final, NamedTuple

import msgspec
import polars as pl

from reactor.errors import EventError
from reactor.explain import Explanation, Node, SectionWhy
from reactor.replay.options import Progress
from reactor.replay.run import Replay
from reactor.replay.tables import TIME, TableBuilder

_COLUMNS: Final[Mapping[str, Any]] = {
    "section": pl.String,
    "change": pl.String,
    "event": pl.Int64,
    "table": pl.String,
    "time": TIME,
    "profile_a": pl.String,
    "profile_b": pl.String,
    "clause": pl.String,
    "criterion_a": pl.String,
    "criterion_b": pl.String,
    "truth_a": pl.String,
    "truth_b": pl.String,
    "values_a": pl.String,
    "values_b": pl.String,
}
_STEP: Final = 500

# Explanations of an event for the audience and, for the truths, for a private one; a text where
# there is none.
Explained = tuple[Explanation, Explanation] | str


class Leaf(NamedTuple):
    """A criterion at an event. helps: whether it being true speaks for the section.

    values: JSON text of name → value, without those that the audience may not see.
    """

    text: str
    truth: str | None
    helps: bool = True
    values: str | None = None


class Flip(NamedTuple):
    """A criterion that is not the same on both sides; None for a side that does not have it."""

    clause: str
    a: Leaf | None
    b: Leaf | None


def chosen(changed: pl.DataFrame, count: int) -> pl.DataFrame:
    """Return the differences to be shown: the first of each section and change, of different profiles."""
    if not count:
        return changed.clear()
    known = changed.with_columns(who=pl.coalesce("profile_a", "profile_b", pl.col("event").cast(pl.String)))
    one_each = known.unique(["section", "change", "who"], keep="first", maintain_order=True)
    return one_each.group_by("section", "change", maintain_order=True).head(count).drop("who")


def examples(
    shown: pl.DataFrame, sides: tuple[Mapping[int, Explained], Mapping[int, Explained]]
) -> pl.DataFrame:
    """Return the table of examples: a row for each criterion that flipped.

    shown: rows of the differences. sides: what `explained` gave for their events.
    """
    table = TableBuilder(_COLUMNS)
    for row in shown.iter_rows(named=True):
        own = [row[name] for name in list(_COLUMNS)[:7]]
        if row["change"] == "changed":
            flips = list(_payload_flips(row))
        else:
            a, b = (side.get(row["event"], "not among the events") for side in sides)
            flips = list(_criteria_flips(row["section"], a, b))
        for flip in flips or [Flip("", None, None)]:
            pair = [
                (leaf.text, leaf.truth, leaf.values) if leaf else (None,) * 3 for leaf in (flip.a, flip.b)
            ]
            table.add([*own, flip.clause, *(value for both in zip(*pair, strict=True) for value in both)])
    return table.finish()


def explained(replay: Replay, numbers: set[int], progress: Progress | None) -> dict[int, Explained]:
    """Return the explanations of some events, each with the profile as it was when its turn came.

    Replays the history as far as the last of them, without making offers.
    """
    audience = replay.options.audience
    engine = replay.engine()
    found: dict[int, Explained] = {}
    waiting = set(numbers)
    for done, planned in enumerate(replay.planned()):
        if not waiting:
            break
        if progress is not None and done % _STEP == 0:
            progress(done, len(replay))
        waiting.discard(planned.number)
        try:
            if planned.number in numbers:
                shown = engine.explain(planned.event, planned.table, audience=audience)
                private = engine.explain(planned.event, planned.table, audience="private")
                found[planned.number] = shown, private
            engine.ingest(planned.event, planned.table)
        except EventError:
            found[planned.number] = "refused"
    if progress is not None:
        progress(len(replay), len(replay))
    return found


def _criteria_flips(section: str, a: Explained, b: Explained) -> Iterator[Flip]:
    """Yield what flipped between two explanations of an event for one section."""
    if isinstance(a, str) or isinstance(b, str):
        yield Flip("event", _noted(a), _noted(b))
        return
    sides = [_why(section, each) for each in (a, b)]
    if None in sides:
        yield Flip("section", *(Leaf("not in this config", None) if side is None else None for side in sides))
        return
    clauses = [_clauses(why, private, each) for (why, private), each in zip(sides, (a, b), strict=True)]  # type: ignore[misc]
    names = list(dict.fromkeys([*clauses[0], *clauses[1]]))
    flips = [
        flip for name in names for flip in _flips(name, clauses[0].get(name, []), clauses[1].get(name, []))
    ]
    if flips:
        yield from flips
        return
    # The same leaves, joined in another way.
    trees = [_wholes(private) for _, private in sides]  # type: ignore[misc]
    for name in names:
        left, right = trees[0].get(name), trees[1].get(name)
        if (left and left.truth) != (right and right.truth):
            yield Flip(name, left, right)


def _noted(side: Explained) -> Leaf | None:
    return Leaf(side, None) if isinstance(side, str) else None


def _why(section: str, side: tuple[Explanation, Explanation]) -> tuple[SectionWhy, SectionWhy] | None:
    """Return why a section matched or did not, for the audience and in private; None for no such section."""
    names = [each.name for each in side[0].sections]
    return (side[0].section(section), side[1].section(section)) if section in names else None


def _clauses(
    why: SectionWhy, private: SectionWhy, side: tuple[Explanation, Explanation]
) -> dict[str, list[Leaf]]:
    """Return the leaves of all that decides on a section, by clause: key events, `where` and `when`."""
    found: dict[str, list[Leaf]] = {}
    if why.on is not None:
        for shown, own in zip(side[0].key_events, side[1].key_events, strict=True):
            if shown.name in why.on:
                found[f"on {shown.name}"] = _leaves(shown.where, own.where) or [Leaf("TRUE", "true")]
        for name in why.on:
            found.setdefault(f"on {name}", [Leaf(f"the event is of the table of {name}", "false")])
    found["where"] = _leaves(why.where, private.where)
    found["when"] = _leaves(why.when, private.when)
    return found


def _leaves(shown: Node | None, private: Node | None, *, helps: bool = True) -> list[Leaf]:
    """Return the leaves of a tree, with truths from the private one."""
    if shown is None or private is None:
        return []
    if not shown.nodes or shown.mark not in ("and", "or", "not"):
        reads = {each.name: each.value for each in shown.operands if not each.redacted and each.of is None}
        values = msgspec.json.encode(reads).decode() if reads else None
        return [Leaf(shown.text, private.truth, helps, values)]
    inner = helps if shown.mark != "not" else not helps
    pairs = zip(shown.nodes, private.nodes, strict=True)
    return [leaf for one, two in pairs for leaf in _leaves(one, two, helps=inner)]


def _wholes(private: SectionWhy) -> dict[str, Leaf]:
    trees = {"where": private.where, "when": private.when}
    return {name: Leaf(tree.text, tree.truth) for name, tree in trees.items() if tree is not None}


def _flips(clause: str, a: Sequence[Leaf], b: Sequence[Leaf]) -> Iterator[Flip]:
    """Yield the leaves of a clause that flipped: of the same text; else those in the same place.

    A leaf that only one side has flipped if it is what that side's answer hangs on: it holds
    where the section is offered, or does not where it is not.
    """
    texts_a, texts_b = {leaf.text: leaf for leaf in a}, {leaf.text: leaf for leaf in b}
    for text, leaf in texts_a.items():
        if text in texts_b and texts_b[text].truth != leaf.truth:
            yield Flip(clause, leaf, texts_b[text])
    left = [leaf for text, leaf in texts_a.items() if text not in texts_b]
    right = [leaf for text, leaf in texts_b.items() if text not in texts_a]
    if len(left) == len(right):
        for one, two in zip(left, right, strict=True):
            if one.truth != two.truth:
                yield Flip(clause, one, two)
        return
    for one, two in zip_longest(left, right):
        if (one and _speaks(one)) != (two and _speaks(two)) or (one and two and one.truth != two.truth):
            yield Flip(clause, one, two)


def _speaks(leaf: Leaf) -> bool:
    """Tell whether a leaf speaks for its section."""
    return leaf.truth == ("true" if leaf.helps else "false")


def _payload_flips(row: Mapping[str, Any]) -> Iterator[Flip]:
    """Yield the outputs that are not the same in two payloads."""
    if row["redacted_a"] != row["redacted_b"]:
        yield Flip("payload", *(Leaf("redacted", str(row[f"redacted_{side}"]).lower()) for side in "ab"))
        return
    a, b = (msgspec.json.decode(row[f"attributes_{side}"] or "{}") for side in "ab")
    for name in dict.fromkeys([*a, *b]):
        if a.get(name, _ABSENT) != b.get(name, _ABSENT):
            yield Flip("payload", *(_output(name, side) for side in (a, b)))
    if row["batch_segments_a"] != row["batch_segments_b"]:
        yield Flip(
            "payload", *(Leaf("batch_segments", None, True, row[f"batch_segments_{side}"]) for side in "ab")
        )


_ABSENT: Final = object()


def _output(name: str, payload: Mapping[str, Any]) -> Leaf | None:
    if name not in payload:
        return None
    return Leaf(name, None, True, msgspec.json.encode({name: payload[name]}).decode())
