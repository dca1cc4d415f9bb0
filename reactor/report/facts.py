"""The numbers of a report, from the tables of a replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import msgspec
import polars as pl

# The longest history that is shown by days, and by weeks, in days.
_DAILY: Final = 62
_WEEKLY: Final = 430
_EVERY: Final = {"day": "1d", "week": "1w", "month": "1mo"}
# Least offers a profile of each bar; the last is open.
_FREQUENCIES: Final = (1, 2, 3, 4, 5, 10, 20, 50)
MOST_STITCHED: Final = 10
# The columns of the rows about identity that `stitched` reads.
STITCHING: Final = ("current_rid", "merged_rids", "current_id_attributes", "evicted_ids")


class Periods(msgspec.Struct, frozen=True):
    """The time axis: `unit` is day, week (from Monday) or month; `starts` one more than there are periods."""

    unit: str
    starts: list[date]


def periods(*offers: pl.DataFrame) -> Periods | None:
    """Return the periods that offers fall into; None without any."""
    times = pl.concat([frame["time"] for frame in offers])
    if times.is_empty():
        return None
    first, last = times.dt.date().min(), times.dt.date().max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    days = (last - first).days
    unit = "day" if days <= _DAILY else "week" if days <= _WEEKLY else "month"
    every = _EVERY[unit]
    ends = pl.Series([first, last], dtype=pl.Date).dt.truncate(every)
    after = ends.dt.offset_by(every)[1]
    return Periods(unit, pl.date_range(ends[0], after, every, eager=True).to_list())


def over_time(offers: pl.DataFrame, axis: Periods, section: str) -> list[int]:
    """Return how many rows of a section fall into each period."""
    start = pl.col("time").dt.date().dt.truncate(_EVERY[axis.unit])
    counted = dict(offers.filter(section=section).group_by(start).len().iter_rows())
    return [counted.get(day, 0) for day in axis.starts[:-1]]


def reach(offers: pl.DataFrame, section: str | None = None) -> int:
    """Return how many profiles a section reached, or all sections did."""
    mine = offers if section is None else offers.filter(section=section)
    return mine["profile"].drop_nulls().n_unique()


def frequency(offers: pl.DataFrame) -> list[tuple[str, int]]:
    """Return how many profiles got so many offers: (label, profiles), in rising order."""
    each = offers.drop_nulls("profile").group_by("profile").len()["len"].to_list()
    bars = [0] * len(_FREQUENCIES)
    for count in each:
        bars[max(place for place, least in enumerate(_FREQUENCIES) if least <= count)] += 1
    return list(zip(_labels(), bars, strict=True))


def _labels() -> list[str]:
    labels = []
    for least, following in zip(_FREQUENCIES, (*_FREQUENCIES[1:], None), strict=True):
        last = None if following is None else following - 1
        labels.append(f"{least}+" if last is None else str(least) if last == least else f"{least}–{last}")
    return labels


def overlap(offers: pl.DataFrame, sections: Sequence[str]) -> list[list[float | None]]:
    """Return, row by row, the share of the profiles that a section reached which another reached too.

    None where the row's section reached nobody.
    """
    pairs = offers.select("profile", "section").drop_nulls().unique()
    both = pairs.join(pairs, on="profile", suffix="_other").group_by("section", "section_other").len()
    counted = {(one, other): count for one, other, count in both.iter_rows()}
    return [
        [
            counted.get((one, other), 0) / counted[one, one] if (one, one) in counted else None
            for other in sections
        ]
        for one in sections
    ]


def stitched(id_changes: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the profiles that others were merged into most often, or that hold the most identifiers.

    By rid, with counts: never an identifier. As far as the rows about identity tell.
    """
    merged: dict[str, int] = {}
    held: dict[str, set[str]] = {}
    for rid, gone, brought, evicted in id_changes.select(STITCHING).iter_rows():
        mine = held.setdefault(rid, set())
        for other in gone or ():
            mine |= held.pop(other, set())
            merged[rid] = merged.get(rid, 0) + 1 + merged.pop(other, 0)
        mine |= set(brought or ())
        mine -= set(_decode(evicted or "[]"))
    for rid in {other for gone in id_changes["merged_rids"].to_list() for other in gone or ()}:
        held.pop(rid, None)
    by_merges = sorted(held, key=lambda rid: (-merged.get(rid, 0), -len(held[rid]), rid))
    by_identifiers = sorted(held, key=lambda rid: (-len(held[rid]), rid))
    both = zip(by_merges[:MOST_STITCHED], by_identifiers[:MOST_STITCHED], strict=True)
    chosen = list(dict.fromkeys(rid for pair in both for rid in pair))[:MOST_STITCHED]
    shown = [rid for rid in chosen if rid in merged or len(held[rid]) > 1]
    return [
        {"rid": rid, "merged": merged.get(rid, 0), "identifiers": len(held[rid])}
        for rid in sorted(shown, key=lambda rid: (-merged.get(rid, 0), -len(held[rid]), rid))
    ]


_decode = msgspec.json.Decoder(list[str]).decode


def quality(summary: Mapping[str, Any], id_changes: pl.DataFrame) -> dict[str, Any]:
    """Return what is to be known of the data: bad rows, refused identifiers, over-stitched profiles."""
    return {
        "rows": summary["rows"],
        "rejected": summary["rejected"],
        "rejects": summary["rejects"],
        "without_identifier": summary["without_identifier"],
        "events": summary["events"],
        "failures": summary["validation_failures"],
        "stitched": stitched(id_changes),
    }
