"""A bucket of a history: events that were put aside, and what a replay of them alone gives."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import polars as pl

from reactor.errors import ReactorError
from reactor.frames import Rows
from reactor.frames.pieces import kept_rows
from reactor.frames.rows import MappingRows
from reactor.replay.components import Codes
from reactor.replay.history import Input, Part
from reactor.replay.options import Options, Results
from reactor.replay.run import Replay
from reactor.spec import Config


class Aside(msgspec.Struct, frozen=True):
    """Events of one source on disk: each with its number over all inputs, ascending.

    form: "columns", "json" for a column of texts, both in the first column's order; "rows" for mappings.
    """

    name: str
    table: str | None
    form: Literal["columns", "json", "rows"]
    files: tuple[Path, ...]


class Bucket(msgspec.Struct, frozen=True):
    """A bucket as another process can read it.

    batch: the rows whose identifiers belong to it, or None. ends_ms: the time of the history's last event.
    """

    sources: tuple[Aside, ...]
    batch: list[Mapping[str, object]] | None
    ends_ms: int | None


def numbered(frame: pl.DataFrame, numbers: Codes) -> pl.DataFrame:
    """Return a frame with the number of each event in front, in a column called like no other."""
    name = "_" * (1 + max(map(len, frame.columns), default=0))
    return frame.select(pl.Series(name, numbers, dtype=pl.Int64), pl.all())


def write_rows(path: Path, numbers: Codes, rows: Iterable[object]) -> None:
    """Write mappings, with the number of each. Raises ReactorError for values that can't be written."""
    try:
        content = pickle.dumps((numbers, list(rows)))
    except (pickle.PicklingError, AttributeError, TypeError):
        content = b""
    if not content:
        raise ReactorError(
            "workers: expected events whose values can be handed to another process, got one that can't be"
            " pickled; replay it with one worker"
        )
    path.write_bytes(content)


def read_aside(aside: Aside, most_bytes: int) -> tuple[Codes, Rows]:
    """Return the numbers of events that were put aside, and their rows."""
    if aside.form == "rows":
        numbers, rows = pickle.loads(aside.files[0].read_bytes())
        return numbers, MappingRows(rows, most_bytes)
    frame = pl.concat([pl.read_ipc(path) for path in aside.files])
    numbers = frame.to_series(0).to_numpy()
    return numbers, kept_rows([frame.drop(frame.columns[0])], aside.form == "json", most_bytes)


def opened(bucket: Bucket, most_bytes: int) -> tuple[Part, Codes]:
    """Return the events of a bucket, and the number of each over all inputs."""
    return part_of(
        [(each.name, each.table, *read_aside(each, most_bytes)) for each in bucket.sources], bucket.ends_ms
    )


def part_of(
    sources: Sequence[tuple[str, str | None, Codes, Rows]], ends_ms: int | None
) -> tuple[Part, Codes]:
    """Return events as a part of a history, and their numbers.

    sources: name, table, numbers and rows of each.
    """
    inputs, numbers = [], [np.empty(0, dtype=np.int64)]
    start = 0
    for name, table, own, rows in sources:
        inputs.append(Input(name, table, rows, start))
        numbers.append(own)
        start += len(own)
    return Part(inputs, ends_ms), np.concatenate(numbers)


def results_of(frames: Mapping[str, pl.DataFrame], rejects: pl.DataFrame, summary: dict[str, Any]) -> Results:
    """Return results whose tables are these; a table that is not there is None."""
    tables: dict[str, Any] = {name: frames.get(name) for name in Results.__struct_fields__}
    tables.update(rejects=rejects, summary=summary)
    return Results(**tables)


def replay_part(
    config: Config,
    part: Part,
    numbers: Codes,
    chosen: Options,
    batch: Iterable[Mapping[str, object]] | None,
    *,
    attributes: bool = False,
    attributes_before: bool = False,
    profiles: bool = False,
    id_changes: bool = True,
    at: object = None,
) -> Results:
    """Replay one part of a history by itself; its rows are those of the whole.

    numbers: of the part's events over all inputs. batch: the rows whose identifiers
        belong to the part.
    """
    replay = Replay(config, part, chosen, batch=None if batch is None else list(batch))
    results = replay.run(
        attributes=attributes,
        attributes_before=attributes_before,
        profiles=profiles,
        id_changes=id_changes,
        at=at,
    )
    events = pl.Series("event", np.asarray(numbers, dtype=np.int64), dtype=pl.Int64)
    frames = {
        name: frame.with_columns(events.gather(frame["event"]).alias("event")).sort(
            "event", maintain_order=True
        )
        for name in Results.__struct_fields__
        if isinstance(frame := getattr(results, name), pl.DataFrame) and name not in ("profiles", "rejects")
    }
    if results.profiles is not None:
        frames["profiles"] = results.profiles
    renumbered = results.rejects.with_columns(
        pl.Series(
            "event", [None if n is None else int(numbers[n]) for n in results.rejects["event"]], pl.Int64
        )
    )
    return results_of(frames, renumbered, results.summary)
