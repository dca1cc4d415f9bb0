"""The summary of a replay: a dict as JSON has it, and the same as lines a person reads."""

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
) -> dict[str, Any]:
    """Return the counts of a pass; times as ISO 8601 text.

    offers: the pass's table of them; batch: what `load_batch` reported.
    """
    rejects = [*history.rejects, *done.rejects]
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


def summary_lines(summary: Mapping[str, Any]) -> list[str]:
    """Return the summary as lines of text; warnings are not among them.

    >>> lines = summary_lines({
    ...     "config": "shop", "rows": 3, "events": 2, "before_since": 0, "left_out": 0, "rejected": 1,
    ...     "first": "2011-03-01T00:00:00.000Z", "last": "2011-03-02T00:00:00.000Z", "profiles": 1,
    ...     "without_identifier": 0, "offers": 1, "redacted": 0, "batch": None,
    ...     "sections": [{"section": "Welcome", "offers": 1, "redacted": 0, "profiles": 1}],
    ...     "rejects": [{"path": "time", "reason": "expected a time, got none", "rows": 1, "first": [7]}],
    ... })
    >>> print("\\n".join(lines))
    shop: 2 events from 2011-03-01T00:00:00Z to 2011-03-02T00:00:00Z, 1 profile
    offers: 1
      Welcome  1 offer  1 profile
    bad rows: 1 of 3
      time: expected a time, got none: 1 row, event 7
    """
    period = f" from {_whole(summary['first'])} to {_whole(summary['last'])}" if summary["first"] else ""
    head = f"{summary['config']}: {_count(summary['events'], 'event')}{period}"
    lines = [f"{head}, {_count(summary['profiles'], 'profile')}"]
    if summary["before_since"]:
        lines.append(f"before --since, without rows: {summary['before_since']:,}")
    if summary["left_out"]:
        lines.append(f"left out by --until or --limit: {summary['left_out']:,}")
    if summary["without_identifier"]:
        lines.append(f"without a usable identifier: {summary['without_identifier']:,}")
    if summary["batch"]:
        lines.append(_batch_line(summary["batch"]))
    redacted = f", {summary['redacted']:,} of them redacted" if summary["redacted"] else ""
    lines.append(f"offers: {summary['offers']:,}{redacted}")
    lines += _section_lines(summary["sections"])
    if summary["rejected"]:
        lines.append(f"bad rows: {summary['rejected']:,} of {summary['rows']:,}")
        lines += [_reject_line(each) for each in summary["rejects"]]
    return lines


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
    """Count the bad rows by what is wrong with them, with the numbers of the first ten."""
    groups: dict[tuple[str, str], list[Reject]] = {}
    for reject in sorted(rejects, key=lambda reject: (reject.event is None, reject.event or 0)):
        groups.setdefault((reject.path, reject.reason), []).append(reject)
    return [
        {"path": path, "reason": reason, "rows": len(group), "first": [each.event for each in group[:10]]}
        for (path, reason), group in groups.items()
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


def _batch_line(batch: Mapping[str, Any]) -> str:
    refused = f", {batch['refused']:,} refused" if batch["refused"] else ""
    missing = f"; no column {', '.join(batch['missing'])}" if batch["missing"] else ""
    return f"batch: {_count(batch['rows'], 'row')}{refused}{missing}"


def _section_lines(sections: Sequence[Mapping[str, Any]]) -> list[str]:
    cells = [
        (each["section"], _count(each["offers"], "offer"), _count(each["profiles"], "profile"))
        for each in sections
    ]
    name, offers, profiles = (max((len(row[place]) for row in cells), default=0) for place in range(3))
    return [f"  {row[0]:<{name}}  {row[1]:>{offers}}  {row[2]:>{profiles}}" for row in cells]


def _reject_line(each: Mapping[str, Any]) -> str:
    numbers = [number for number in each["first"] if number is not None]
    shown = ", ".join(f"{number}" for number in numbers[:5])
    more = ", …" if each["rows"] > 5 else ""
    where = f", event{'s' if len(numbers) > 1 else ''} {shown}{more}" if shown else ""
    return f"  {each['path']}: {each['reason']}: {_count(each['rows'], 'row')}{where}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _time(time_ms: int | None) -> str | None:
    return None if time_ms is None else format_time(time_ms)


def _whole(time: str) -> str:
    """Return a time without its milliseconds, where it has none."""
    return time.replace(".000Z", "Z")
