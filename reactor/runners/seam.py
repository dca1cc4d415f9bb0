"""What any runner needs: look at events, plan the buckets, sort events into them, replay a bucket.

Plain functions over plain data. A runner moves the data: it calls `scan` on pieces of the input
wherever they lie, `plan` in one place, `sort_in` on the pieces again, and `replay` once a bucket.
What goes from one to the other is pickled by whoever moves it.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import polars as pl

from reactor.errors import ReactorError
from reactor.frames import Rows, Source
from reactor.frames.rows import FrameRows, JsonRows
from reactor.frames.tables import plain_table
from reactor.payload import Audience
from reactor.replay.batch import Batch
from reactor.replay.bucket import part_of, replay_part
from reactor.replay.components import Codes
from reactor.replay.differences import differences
from reactor.replay.history import Input, Part, require_columns, table_of
from reactor.replay.options import Options, Results, options
from reactor.replay.pieced import large_warnings, refuse_spanning
from reactor.replay.run import prepared
from reactor.replay.scan import Identifiers, Scanner, components_of
from reactor.spec import Config

TABLES: Final = ("offers", "id_changes", "rejects", "attributes", "attributes_before", "profiles")
LARGEST: Final = 10  # components that the report of the split names
_SKEWED: Final = 3  # a component is large that has so many times the mean rows of a bucket,
_NOTICED: Final = 10_000  # and so many at least: fewer are replayed within a second


class Job(msgspec.Struct, frozen=True):
    """What is replayed, the same for every worker.

    configs: one, or two that are compared. sources: of each input, by place, its name and table.
    json: the places whose frames hold JSON texts, in a column `json`.
    """

    configs: tuple[Config, ...]
    options: Options
    sources: tuple[tuple[str, str | None], ...]
    json: frozenset[int] = frozenset()


class Piece(NamedTuple):
    """Rows of one input: its place, the number of each row over all inputs, and a frame as bytes."""

    place: int
    numbers: bytes
    rows: bytes


class Scan(msgspec.Struct, frozen=True):
    """What one look at some events found; codes are arrays of int64.

    firsts, counts: identifiers that came first, and in how many events. links: pairs seen together.
    bounds: the least and the greatest time, by config; None without events. columns: of the inputs.
    """

    rows: int
    columns: frozenset[str]
    firsts: Codes
    counts: Codes
    links: Codes
    bounds: tuple[tuple[int, int] | None, ...]


class Plan(msgspec.Struct, frozen=True):
    """Which bucket an identifier's events belong to.

    codes: identifiers that came first, sorted; bucket_of: the bucket of each. batch: bucket → rows.
    first_ms, ends_ms: the times of the first and the last event, by config. columns: of the inputs.
    split: the report.
    """

    codes: Codes
    bucket_of: Codes
    buckets: int
    batch: Mapping[int, list[Mapping[str, object]]] | None
    first_ms: tuple[int | None, ...]
    ends_ms: tuple[int | None, ...]
    columns: frozenset[str]
    split: Mapping[str, Any]


def job_of(
    configs: Sequence[str | os.PathLike[str] | Mapping[str, Any] | Config],
    sources: Sequence[tuple[str, str | None]],
    *,
    table: str | None = None,
    audience: Audience = "public",
    since: object = None,
    until: object = None,
    time: str | None = None,
    table_column: str | None = None,
    strict: bool = False,
    engine: str = "auto",
    json: Iterable[int] = (),
) -> Job:
    """Check the arguments of a simulation. Raises as `simulate` does, and for what spans profiles."""
    asked = options(
        table=table, table_column=table_column, time=time, audience=audience, since=since, until=until,
        strict=strict, engine=engine,
    )  # fmt: skip
    loaded = tuple(prepared(config, asked) for config in configs)
    for config in loaded:
        refuse_spanning(config, "runner")
    named = tuple((name, own or table_of(loaded[0], asked)) for name, own in sources)
    job = Job(loaded, msgspec.structs.replace(asked, time=None), named, frozenset(json))
    for which in range(len(loaded)):
        nothing(job, which)  # where the engine that is asked for can't be, this says so
    return job


def check_buckets(buckets: object) -> None:
    """Raise ReactorError unless this is a number of buckets."""
    if isinstance(buckets, bool) or not isinstance(buckets, int) or buckets < 1:
        raise ReactorError("buckets: expected a number of buckets, got something else")


def check_columns(job: Job, place: int, columns: Mapping[str, bool]) -> None:
    """Raise EventError for an input that no row can be read from.

    columns: of the input; True for floats, which are no stitching keys.
    """
    types = {name: pl.Float64 if is_float else pl.Null for name, is_float in columns.items()}
    for config in job.configs:
        _input(job, config, place, pl.DataFrame({name: [None] for name in columns}, schema=types))


def scan(job: Job, place: int, frames: Iterable[pl.DataFrame]) -> Scan:
    """Look at the times and identifiers of an input's rows, in frames."""
    scanners = [Scanner(config, job.options) for config in job.configs]
    joined = Identifiers()
    seen = [np.empty(0, dtype=np.int64)]
    found: list[list[int]] = [[] for _ in scanners]
    rows, columns = 0, set[str]()
    for frame in frames:
        rows += frame.height
        columns |= set() if place in job.json else set(frame.columns)
        codes = np.zeros(frame.height, dtype=np.int64)
        for config, scanner, bounds in zip(job.configs, scanners, found, strict=True):
            times, own, _ = scanner.scan(_input(job, config, place, frame))
            joined.link(codes, own)
            codes = np.where(codes == 0, own, codes)
            until_ms = job.options.until_ms
            kept = times[(times >= 0) & (True if until_ms is None else times < until_ms)]
            bounds += [int(kept.min()), int(kept.max())] if len(kept) else []
        seen.append(codes[codes != 0])
    firsts, counts = np.unique(np.concatenate(seen), return_counts=True)
    links = np.concatenate([each.links for each in (joined, *(scanner.identifiers for scanner in scanners))])
    limits = tuple((min(bounds), max(bounds)) if bounds else None for bounds in found)
    return Scan(rows, frozenset(columns), firsts, counts.astype(np.int64), links, limits)


def gathered(scans: Iterable[Scan], configs: int) -> Scan:
    """Return what several looks found, as one."""
    none = np.empty(0, dtype=np.int64)
    every = [*scans, Scan(0, frozenset(), none, none, none.reshape(0, 2), (None,) * configs)]
    firsts, places = np.unique(np.concatenate([each.firsts for each in every]), return_inverse=True)
    counts = np.zeros(len(firsts), dtype=np.int64)
    np.add.at(counts, places, np.concatenate([each.counts for each in every]))
    links = np.unique(np.concatenate([each.links for each in every]), axis=0)
    bounds = [[each.bounds[n] for each in every] for n in range(configs)]
    known = [[bound for bound in own if bound is not None] for own in bounds]
    limits = tuple((min(lo for lo, _ in own), max(hi for _, hi in own)) if own else None for own in known)
    columns = frozenset[str]().union(*(each.columns for each in every))
    return Scan(sum(each.rows for each in every), columns, firsts, counts, links, limits)


def plan(job: Job, whole: Scan, batch: Batch | None, buckets: int) -> Plan:
    """Give every component of identifiers a bucket."""
    rows = [] if batch is None else batch.rows
    scanners = [Scanner(config, job.options) for config in job.configs]
    firsts = scanners[0].batch(rows) if rows else np.empty(0, dtype=np.int64)
    own = scanners[0].identifiers
    for scanner in scanners[1:]:
        others = scanner.batch(rows) if rows else firsts
        own.link(firsts, others)
    extra = [scanner.identifiers.links for scanner in scanners]
    codes = np.union1d(whole.firsts, firsts[firsts != 0])
    links = np.unique(np.concatenate([whole.links, *extra]), axis=0)
    component = components_of(codes, links)
    counts = np.zeros(int(component.max(initial=-1)) + 1, dtype=np.int64)
    np.add.at(counts, component[np.searchsorted(codes, whole.firsts)], whole.counts)
    # Neighbours share a bucket; each bucket begins where its share of all rows does.
    before = np.cumsum(counts) - counts
    bucket = np.minimum(before * buckets // max(1, int(counts.sum())), buckets - 1)
    bucket_of = bucket[component]
    by_bucket: dict[int, list[Mapping[str, object]]] = {}
    for row, code in zip(rows, firsts.tolist(), strict=True):
        if code:
            by_bucket.setdefault(int(bucket_of[np.searchsorted(codes, code)]), []).append(row)
    split = _split(whole, len(links), counts, bucket, buckets)
    lows = tuple(None if bound is None else bound[0] for bound in whole.bounds)
    highs = tuple(None if bound is None else bound[1] for bound in whole.bounds)
    waiting = None if batch is None else by_bucket
    return Plan(codes, bucket_of, buckets, waiting, lows, highs, whole.columns, split)


def _split(whole: Scan, pairs: int, counts: Codes, bucket: Codes, buckets: int) -> dict[str, Any]:
    """Return the report of the split, with warnings."""
    held = np.bincount(bucket, counts, buckets).astype(np.int64)
    nobody = whole.rows - int(counts.sum())
    share = max(1, -(-whole.rows // buckets))
    large = sorted((int(count) for count in counts[counts > max(_SKEWED * share, _NOTICED)]), reverse=True)
    return {
        "rows": whole.rows,
        "without_identifier": nobody,
        "identifiers": int(np.union1d(whole.firsts, whole.links.ravel()).size),
        "pairs": pairs,
        "components": int((counts > 0).sum()),
        "largest": sorted(counts.tolist(), reverse=True)[:LARGEST],
        "buckets": buckets,
        "skew": round(float(held.max()) * buckets / max(1, int(held.sum())), 2),
        "warnings": large_warnings(large, whole.rows, share) if buckets > 1 else [],
    }


class Sorter:
    """Sorts rows of inputs into buckets."""

    def __init__(self, job: Job, planned: Plan) -> None:
        self._job = job
        self._plan = planned
        self._scanners = [Scanner(config, job.options) for config in job.configs]

    def sort_in(self, place: int, frame: pl.DataFrame, numbers: Codes) -> Iterator[tuple[int, Piece]]:
        """Yield (bucket, piece) for rows of an input; numbers: of each row over all inputs."""
        planned = self._plan
        codes = np.zeros(frame.height, dtype=np.int64)
        for config, scanner in zip(self._job.configs, self._scanners, strict=True):
            codes = np.where(codes == 0, scanner.scan(_input(self._job, config, place, frame))[1], codes)
        # Events without an identifier know nothing of each other, and may be anywhere.
        buckets = numbers % planned.buckets
        some = codes != 0
        buckets[some] = planned.bucket_of[np.searchsorted(planned.codes, codes[some])]
        order = np.argsort(buckets, kind="stable")
        found, firsts = np.unique(buckets[order], return_index=True)
        ends = [*firsts[1:], len(order)]
        for bucket, first, end in zip(found.tolist(), firsts, ends[: len(found)], strict=True):
            own = order[first:end]
            yield bucket, Piece(place, numbers[own].tobytes(), packed(frame[own]))


def replay(
    job: Job, planned: Plan, bucket: int, pieces: Iterable[Piece], which: int = 0, **asked: Any
) -> tuple[Results, dict[str, Any]]:
    """Replay a bucket under one of the configs; return the results, and what it took.

    asked: tables, as for `Replay.run`.
    """
    begun, cpu_begun = time.perf_counter(), time.process_time()
    config = job.configs[which]
    sources = []
    by_place: dict[int, list[Piece]] = {}
    for piece in pieces:
        by_place.setdefault(piece.place, []).append(piece)
    for place in sorted(by_place):
        own = np.concatenate([np.frombuffer(piece.numbers, dtype=np.int64) for piece in by_place[place]])
        order = np.argsort(own, kind="stable")
        frame = pl.concat([unpacked(piece.rows) for piece in by_place[place]])[order]
        each = _input(job, config, place, frame)
        sources.append((each.name, each.table, own[order], each.rows))
    batch = None if planned.batch is None else planned.batch.get(bucket) or None
    part, every = part_of(sources, planned.ends_ms[which])
    chosen = msgspec.structs.replace(job.options, strict=False)
    results = replay_part(config, part._replace(numbers=every), every, chosen, batch, **asked)
    took = {
        "bucket": bucket,
        "rows": len(every),
        "seconds": round(time.perf_counter() - begun, 3),
        "cpu_seconds": round(time.process_time() - cpu_begun, 3),
    }
    return results, took


def answers(
    job: Job, planned: Plan, bucket: int, pieces: Sequence[Piece], tables: Mapping[str, Any]
) -> list[tuple[str, bytes]]:
    """Replay a bucket under each config; return its tables, summary and time, packed.

    Names are followed by the number of the config; of two, `differences` says what differs.
    """
    found: list[tuple[str, bytes]] = []
    every: list[Results] = []
    for which in range(len(job.configs)):
        results, took = replay(job, planned, bucket, pieces, which, **tables)
        every.append(results)
        frames = {name: getattr(results, name) for name in TABLES}
        frames["firsts"] = results.firsts
        found += [(f"{name} {which}", packed(frame)) for name, frame in frames.items() if frame is not None]
        found.append((f"summary {which}", msgspec.json.encode(results.summary)))
        found.append((f"split {which}", msgspec.json.encode(took)))
    if len(every) == 2:
        names = dict.fromkeys(section.name for config in job.configs for section in config.sections)
        found.append(("differences 0", packed(differences(every[0], every[1], list(names)))))
    return found


def nothing(job: Job, which: int = 0, **tables: Any) -> Results:
    """Return the results of no events: the columns of each table, and a summary of zeros."""
    part = Part([], None)
    return replay_part(job.configs[which], part, np.empty(0, dtype=np.int64), job.options, None, **tables)


def batch_of(job: Job, source: Source | None) -> Batch | None:
    """Read batch rows."""
    return None if source is None else Batch(source, job.configs[0], strict=job.options.strict)


def packed(frame: pl.DataFrame) -> bytes:
    """Return a frame as bytes."""
    stream = io.BytesIO()
    frame.write_ipc(stream, compression="lz4")
    return stream.getvalue()


def unpacked(content: bytes) -> pl.DataFrame:
    """Return the frame that `packed` made bytes of."""
    return pl.read_ipc(io.BytesIO(content))


def _input(job: Job, config: Config, place: int, frame: pl.DataFrame) -> Input:
    """Return rows of an input as a replay reads them."""
    name, table = job.sources[place]
    rows: Rows
    if place in job.json:
        rows = JsonRows(frame["json"].to_list(), config.limits.event_bytes)
    else:
        rows = FrameRows(plain_table(frame, {key.name for key in config.keys}, name), {})
    each = Input(name, table, rows, 0)
    require_columns(each, config, job.options)
    return each
