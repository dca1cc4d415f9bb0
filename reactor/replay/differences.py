"""What two replays of one history offer differently: tables, and counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import polars as pl

from reactor.replay.options import Results
from reactor.spec.model import Config

_PAYLOAD: Final = ("redacted", "attributes", "batch_segments")
_BY_SIDE: Final = ("rid", "profile", *_PAYLOAD)
_SHARED: Final = ("table", "time", "personalization")
CHANGES: Final = ("gained", "lost", "changed")


def differences(a: Results, b: Results, sections: Sequence[str]) -> pl.DataFrame:
    """Return a row for each offer that is not the same on both sides, by event, then section.

    The two are aligned by the number of the event, never by rid: other keys make other profiles.
    sections: their order. change: `gained` is offered by b only, `lost` by a only, `changed` by both
    with another payload.
    """
    columns = ["event", "section", *_SHARED, *_BY_SIDE]
    joined = a.offers[columns].join(
        b.offers[columns], on=["event", "section"], how="full", coalesce=True, suffix="_b"
    )
    in_a, in_b = pl.col("table").is_not_null(), pl.col("table_b").is_not_null()
    change = (
        pl.when(~in_b).then(pl.lit("lost")).when(~in_a).then(pl.lit("gained")).otherwise(pl.lit("changed"))
    )
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_b")) for name in _PAYLOAD)
    found = joined.filter(~(in_a & in_b & same)).select(
        "event",
        *(pl.coalesce(name, f"{name}_b") for name in _SHARED),
        "section",
        change.alias("change"),
        *(
            pl.col(f"{name}{side}").alias(f"{name}_{'b' if side else 'a'}")
            for name in _BY_SIDE
            for side in ("", "_b")
        ),
    )
    order = pl.DataFrame(
        {"section": sections, "order": range(len(sections))}, schema_overrides={"section": pl.String}
    )
    found = found.filter(_differ(found)).join(order, on="section", how="left")
    return found.sort("event", "order").drop("order")


def _differ(found: pl.DataFrame) -> pl.Series:
    """Tell which rows differ for a reader: the order of a payload's entries makes no difference."""
    pairs = found.select("change", "redacted_a", "redacted_b", "attributes_a", "attributes_b",
                         "batch_segments_a", "batch_segments_b")  # fmt: skip
    return pl.Series(
        [
            change != "changed" or redacted_a != redacted_b or _value(one) != _value(two) or held_a != held_b
            for change, redacted_a, redacted_b, one, two, held_a, held_b in pairs.iter_rows()
        ],
        dtype=pl.Boolean,
    )


def _value(text: str | None) -> object:
    return None if text is None else msgspec.json.decode(text)


def by_section(a: Results, b: Results, changed: pl.DataFrame, sections: Sequence[str]) -> pl.DataFrame:
    """Return a row a section: offers, reach and frequency on both sides, and what changed.

    profiles: how many different ones it reached, as they are called after the whole history.
    frequency: offers to profiles, for each profile reached; null where none was.
    only_in: `a` or `b`, where the other config has no such section.
    """
    names = pl.DataFrame({"section": pl.Series(sections, dtype=pl.String)})
    frame = names
    for side, results in (("a", a), ("b", b)):
        counted = results.offers.group_by("section").agg(
            pl.len().cast(pl.Int64).alias(f"offers_{side}"),
            pl.col("profile").drop_nulls().n_unique().cast(pl.Int64).alias(f"profiles_{side}"),
            pl.col("profile").drop_nulls().len().cast(pl.Int64).alias(f"known_{side}"),
            pl.col("redacted").sum().cast(pl.Int64).alias(f"redacted_{side}"),
        )
        frame = frame.join(counted, on="section", how="left", maintain_order="left")
    counts = changed.group_by("section").agg(
        (pl.col("change") == name).sum().cast(pl.Int64).alias(name) for name in CHANGES
    )
    frame = frame.join(counts, on="section", how="left", maintain_order="left").with_columns(
        pl.exclude("section").fill_null(0)
    )
    held = {
        side: {each["section"] for each in results.summary["sections"]}
        for side, results in (("a", a), ("b", b))
    }
    only = [None if name in held["a"] & held["b"] else "a" if name in held["a"] else "b" for name in sections]
    return frame.select(
        "section",
        pl.Series("only_in", only, dtype=pl.String),
        "offers_a",
        "offers_b",
        *CHANGES,
        "profiles_a",
        "profiles_b",
        *(_frequency(side) for side in "ab"),
        "redacted_a",
        "redacted_b",
    )


def _frequency(side: str) -> pl.Expr:
    reached = pl.col(f"profiles_{side}")
    return pl.when(reached > 0).then(pl.col(f"known_{side}") / reached).alias(f"frequency_{side}")


def by_day(a: Results, b: Results, changed: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each day (UTC) and section with offers: how many on both sides, and what changed."""
    day = pl.col("time").dt.date().alias("day")
    frame = None
    for side, results in (("a", a), ("b", b)):
        counted = results.offers.group_by(day, "section").agg(pl.len().cast(pl.Int64).alias(f"offers_{side}"))
        frame = (
            counted
            if frame is None
            else frame.join(counted, on=["day", "section"], how="full", coalesce=True)
        )
    assert frame is not None
    counts = changed.group_by(day, "section").agg(
        (pl.col("change") == name).sum().cast(pl.Int64).alias(name) for name in CHANGES
    )
    frame = frame.join(counts, on=["day", "section"], how="full", coalesce=True)
    return frame.with_columns(pl.exclude("day", "section").fill_null(0)).sort("day", "section")


def side_summary(results: Results) -> dict[str, Any]:
    """Return the counts of one side: those of its replay, and its reach and frequency in all."""
    known = results.offers["profile"].drop_nulls()
    reached = known.n_unique()
    names = ("config", "engine", "rows", "events", "rejected", "first", "last", "profiles",
             "without_identifier", "offers", "redacted", "warnings")  # fmt: skip
    counts = {name: results.summary[name] for name in names}
    return {**counts, "reached": reached, "frequency": len(known) / reached if reached else None}


def identity_summary(a: Results, b: Results, configs: tuple[Config, Config]) -> dict[str, Any]:
    """Return how the profiles of both sides differ, seen from the events that both answered with offers.

    split: profiles of a whose events belong to several of b; joined: profiles of b whose events belong
    to several of a.
    """
    keys = [[key.name for key in config.keys if not key.internal] for config in configs]
    of = [results.offers.select("event", "profile").drop_nulls().unique() for results in (a, b)]
    both = of[0].join(of[1], on="event", suffix="_b").select("profile", "profile_b").unique()
    return {
        "keys_only_in_a": [key for key in keys[0] if key not in keys[1]],
        "keys_only_in_b": [key for key in keys[1] if key not in keys[0]],
        "split": _several(both, "profile"),
        "joined": _several(both, "profile_b"),
    }


def _several(pairs: pl.DataFrame, column: str) -> int:
    return pairs.group_by(column).len().filter(pl.col("len") > 1).height


def totals(changed: pl.DataFrame) -> Mapping[str, int]:
    """Return how many offers were gained, lost and changed."""
    counted = dict(changed.group_by("change").len().iter_rows())
    return {name: counted.get(name, 0) for name in CHANGES}
