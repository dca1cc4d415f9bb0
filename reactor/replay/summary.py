"""The summary of a replay: a dict as JSON has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import polars as pl

from reactor.errors import did_you_mean
from reactor.replay.columns.passes import ColumnarPass
from reactor.replay.history import History, Reject
from reactor.replay.live import LivePass
from reactor.replay.options import Options
from reactor.spec.model import Config
from reactor.units import format_time

_COUNTED: Final = ("offers", "redacted", "profiles")  # of a section


def summarize(
    config: Config,
    options: Options,
    history: History,
    done: LivePass | ColumnarPass,
    offers: pl.DataFrame,
    batch: Mapping[str, Any] | None,
    batch_rejects: Sequence[Reject],
) -> dict[str, Any]:
    """Return the counts of a pass; times as ISO 8601 text.

    offers: the pass's table of them; batch: the engine's report on the load.
    """
    rejects = [*history.rejects, *done.rejects, *batch_rejects]
    sections = _sections(config, offers)
    columns = {name for each in history.inputs for name in each.rows.columns or ()}
    return {
        "config": config.name,
        "engine": done.engine_name,
        "audience": options.audience,
        "rows": history.rows,
        "events": done.events,
        "before_since": done.before_since,
        "left_out": history.left_out,
        "rejected": len(rejects),
        "first": _time(history.first_ms),
        "last": _time(history.last_ms),
        "tables": dict(sorted(done.by_table.items())),
        "profiles": done.profile_count,
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
        "fallback": done.fallback,
        "warnings": [
            *_identity_warnings(config, columns, done.events, done.without_identifier, done.failures),
            *_table_warnings(config, done.by_table),
            *_batch_warnings(batch),
        ],
    }


class Whole(NamedTuple):
    """What is known of a history apart from its parts; times in ms, None without events.

    columns: of all inputs that have the same for every row. batch: the engine's report on the load.
    """

    rows: int
    left_out: int
    first_ms: int | None
    last_ms: int | None
    columns: Collection[str]
    rejects: Sequence[Reject]
    batch: Mapping[str, Any] | None


def united(
    config: Config, options: Options, whole: Whole, parts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the summary of a history from the summaries of parts that share no profile."""
    engines = {part["engine"] for part in parts}
    tables: Counter[str] = Counter()
    failures: Counter[tuple[str, str]] = Counter()
    for part in parts:
        tables.update(part["tables"])
        failures.update(
            {(each["key"], each["reason"]): each["events"] for each in part["validation_failures"]}
        )
    sections = [
        {**each, **{name: sum(part["sections"][place][name] for part in parts) for name in _COUNTED}}
        for place, each in enumerate(_no_sections(config))
    ]
    total = {
        name: sum(part[name] for part in parts)
        for name in ("events", "before_since", "profiles", "without_identifier", "offers")
    }
    warnings = [
        *_identity_warnings(config, whole.columns, total["events"], total["without_identifier"], failures),
        *_table_warnings(config, tables),
        *_batch_warnings(whole.batch),
    ]
    return {
        "config": config.name,
        "engine": engines.pop() if len(engines) == 1 else "mixed",
        "audience": options.audience,
        "rows": whole.rows,
        "events": total["events"],
        "before_since": total["before_since"],
        "left_out": whole.left_out,
        "rejected": len(whole.rejects),
        "first": _time(whole.first_ms),
        "last": _time(whole.last_ms),
        "tables": dict(sorted(tables.items())),
        "profiles": total["profiles"],
        "without_identifier": total["without_identifier"],
        "validation_failures": [
            {"key": key, "reason": reason, "events": count}
            for (key, reason), count in sorted(failures.items())
        ],
        "offers": total["offers"],
        "redacted": sum(section["redacted"] for section in sections),
        "sections": sections,
        "batch": None if whole.batch is None else dict(whole.batch),
        "rejects": _reasons(whole.rejects),
        "fallback": _fallen([part["fallback"] for part in parts if part["fallback"] is not None]),
        "warnings": warnings,
    }


def _fallen(found: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return what the live engine did for the columnar one, of all parts; None where none was columnar."""
    reasons: Counter[str] = Counter()
    for each in found:
        reasons.update(each["reasons"])
    total = {name: sum(each[name] for each in found) for name in ("events", "components")}
    return {**total, "reasons": dict(sorted(reasons.items()))} if found else None


def _no_sections(config: Config) -> list[dict[str, Any]]:
    """Return the entry of every section as it is without an offer, in config order."""
    none = dict.fromkeys(_COUNTED, 0)
    return [
        {"personalization": each.personalization, "section": each.name, **none} for each in config.sections
    ]


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
    return [
        {**each, **{name: counted.get(each["section"], each)[name] for name in _COUNTED}}
        for each in _no_sections(config)
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


def _identity_warnings(
    config: Config,
    columns: Collection[str],
    events: int,
    without: int,
    failures: Mapping[tuple[str, str], int],
) -> list[str]:
    """Say it if most events carry no identifier, with the likely reason.

    columns: of all inputs that have the same for every row.
    """
    if without * 2 <= events:
        return []
    share = f"{without:,} of {events:,} events"
    keys = [key.name for key in config.keys if not key.internal]
    text = f"{share} carry no usable identifier: they belong to no profile, and build none"
    made = {name for table in config.tables.values() for name in table.columns}
    missing = [key for key in keys if columns and key not in columns and key not in made]
    if missing:
        hints = [
            f'"{key}"' + (f" ({hint})" if (hint := did_you_mean(key, columns)) else "") for key in missing
        ]
        text += f"; no column is named {', '.join(hints)}"
    elif failures:
        most = sorted(failures.items(), key=lambda failure: (-failure[1], failure[0]))[:3]
        reasons = [f"{key}: {reason} ({count:,} times)" for (key, reason), count in most]
        text += f"; {'; '.join(reasons)}"
    else:
        text += f"; the stitching keys are {', '.join(keys)}"
    return [text]


def _table_warnings(config: Config, tables: Collection[str]) -> list[str]:
    named = {event.table for event in config.key_events.values()}
    unknown = sorted(table for table in tables if table not in named)
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
