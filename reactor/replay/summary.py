"""The summary of a replay: a dict as JSON has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from reactor.errors import did_you_mean
from reactor.replay.history import History, Reject
from reactor.replay.live import LivePass
from reactor.replay.options import Options
from reactor.spec.model import Config
from reactor.units import format_time


def summarize(
    config: Config,
    options: Options,
    history: History,
    done: LivePass,
    offers: pl.DataFrame,
    batch: Mapping[str, Any] | None,
    batch_rejects: Sequence[Reject],
) -> dict[str, Any]:
    """Return the counts of a pass; times as ISO 8601 text.

    offers: the pass's table of them; batch: the engine's report on the load.
    """
    rejects = [*history.rejects, *done.rejects, *batch_rejects]
    sections = _sections(config, offers)
    return {
        "config": config.name,
        "engine": "live",
        "audience": options.audience,
        "rows": history.rows,
        "events": done.events,
        "before_since": done.before_since,
        "left_out": history.left_out,
        "rejected": len(rejects),
        "first": _time(history.first_ms),
        "last": _time(history.last_ms),
        "tables": dict(done.by_table),
        "profiles": done.engine.stats()["profiles"],
        "without_identifier": done.without_identifier,
        "validation_failures": [
            {"key": key, "reason": reason, "events": count}
            for (key, reason), count in sorted(done.failures.items())
        ],
        "offers": offers.height,
        "redacted": sum(section["redacted"] for section in sections),
        "sections": sections,
        "batch": None if batch is None else dict(batch),
        "rejects": _reasons(rejects),
        "warnings": [
            *_identity_warnings(config, history, done),
            *_table_warnings(config, done),
            *_batch_warnings(batch),
        ],
    }


def _sections(config: Config, offers: pl.DataFrame) -> list[dict[str, Any]]:
    """Count the offers of every section, in config order, those without one too."""
    counted = {
        row["section"]: row
        for row in offers.group_by("section")
        .agg(
            pl.len().alias("offers"),
            pl.col("redacted").sum(),
            pl.col("profile").drop_nulls().n_unique().alias("profiles"),
        )
        .iter_rows(named=True)
    }
    none = {"offers": 0, "redacted": 0, "profiles": 0}
    return [
        {"personalization": each.personalization, "section": each.name}
        | {name: counted.get(each.name, none)[name] for name in none}
        for each in config.sections
    ]


def _reasons(rejects: Sequence[Reject]) -> list[dict[str, Any]]:
    """Count the bad rows by what is wrong with them, with the numbers of the first ten; of a batch, none."""
    groups: dict[tuple[str, str], list[int | None]] = {}
    for each in sorted(rejects, key=lambda reject: (reject.event is None, reject.event or 0)):
        path = f"batch: {each.path}" if each.event is None else each.path
        groups.setdefault((path, each.reason), []).append(each.event)
    return [
        {
            "path": path,
            "reason": reason,
            "rows": len(events),
            "first": [event for event in events[:10] if event is not None],
        }
        for (path, reason), events in groups.items()
    ]


def _identity_warnings(config: Config, history: History, done: LivePass) -> list[str]:
    if done.without_identifier * 2 <= done.events:
        return []
    share = f"{done.without_identifier:,} of {done.events:,} events"
    keys = [key.name for key in config.keys if not key.internal]
    text = f"{share} carry no usable identifier: they belong to no profile, and build none"
    made = {name for table in config.tables.values() for name in table.columns}
    columns = {name for each in history.inputs for name in each.rows.columns or ()}
    missing = [key for key in keys if columns and key not in columns and key not in made]
    if missing:
        hints = [
            f'"{key}"' + (f" ({hint})" if (hint := did_you_mean(key, columns)) else "") for key in missing
        ]
        text += f"; no column is named {', '.join(hints)}"
    elif done.failures:
        reasons = [
            f"{key}: {reason} ({count:,} times)" for (key, reason), count in done.failures.most_common(3)
        ]
        text += f"; {'; '.join(reasons)}"
    else:
        text += f"; the stitching keys are {', '.join(keys)}"
    return [text]


def _table_warnings(config: Config, done: LivePass) -> list[str]:
    named = {event.table for event in config.key_events.values()}
    unknown = [table for table in done.by_table if table not in named]
    warnings = []
    for table in unknown[:10]:
        hint = did_you_mean(table, named)
        warnings.append(f'no key event names the table "{table}"' + (f" ({hint})" if hint else ""))
    if len(unknown) > 10:
        warnings.append(f"no key event names {len(unknown) - 10:,} more tables")
    return warnings


def _batch_warnings(batch: Mapping[str, Any] | None) -> list[str]:
    if batch is None or not batch["undated"]:
        return []
    which = (
        "the batch rows" if batch["undated"] == batch["rows"] else f"{_count(batch['undated'], 'batch row')}"
    )
    return [f"{which} without a `time`: values of today were used for the whole history"]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _time(time_ms: int | None) -> str | None:
    return None if time_ms is None else format_time(time_ms)
