"""`reactor journal`: the events a gateway accepted, as a file that `reactor simulate` replays."""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from reactor.cli.console import DONE, CommandError, count_of, say, warn
from reactor.cli.loading import add_config, load
from reactor.engine import Reactor
from reactor.errors import EventError
from reactor.frames import replacing
from reactor.gateway.recovery import event_of, time_column
from reactor.gateway.segment import BATCH, Entry, Reader, first_of, paths

SUMMARY = "write the events that a gateway accepted to a file"
EXAMPLE = "reactor journal reactor.yaml gateway.journal --out events.jsonl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_config(parser)
    parser.add_argument(
        "journal", metavar="JOURNAL", help="the folder of a gateway's journal; it is not changed"
    )
    parser.add_argument("--out", metavar="F", required=True, help="JSON lines, in the order of acceptance")
    parser.add_argument("--batch", metavar="F", help="the batch rows of the last load, as JSON lines")
    parser.add_argument(
        "--table-column",
        metavar="C",
        default="table",
        help="the column that names each event's table (table)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the events, and say how to replay them."""
    engine = Reactor(load(arguments.config))
    folder = Path(arguments.journal)
    files = paths(folder)
    if not files:
        raise CommandError(
            f"{folder}: expected the folder of a journal, got none with journal-….sqlite in it"
        )
    reader = Reader(folder)
    rows: bytes | None = None
    count = 0
    with replacing(arguments.out) as target:
        for entry in reader.entries(first_of(files[0]) - 1):
            if entry.kind == BATCH:
                rows = entry.body
            else:
                count += 1
                target.write(_line(engine, entry, arguments.table_column))
    if reader.damage is not None:
        path, seq, got = reader.damage
        warn(f"{path}: expected entry {seq}, got {got}; read up to there")
    if first_of(files[0]) > 1:
        warn(
            f"the entries before {first_of(files[0])} are pruned; `keep: true` in the gateway file keeps them"
        )
    if arguments.batch is not None:
        with replacing(arguments.batch) as target:
            target.writelines(_rows(rows))
    say(f"{count_of(count, 'event')} written to {arguments.out}. Replay them with:")
    batch = "" if arguments.batch is None else f" --batch {arguments.batch}"
    column = f"--table-column {arguments.table_column}"
    say(f"  reactor simulate {arguments.config} {arguments.out} {column}{batch}")
    return DONE


def _line(engine: Reactor, entry: Entry, table_column: str) -> bytes:
    """Return an event as the engine took it: with its table, and at the time it was given."""
    config = engine.config
    event = event_of(config, entry)
    if table_column in event:
        problem = f'entry {entry.seq}: the event has a column "{table_column}" of its own'
        raise CommandError(f"{problem}; choose another --table-column")
    column = time_column(config, entry.place)
    # A replay has no clock: what the engine clamped is clamped here, what had no time has the gateway's.
    latest = entry.now_ms + config.limits.clock_skew_ms
    if event.get(column) is None or _time_of(engine, event, entry.place) > latest:
        event[column] = entry.now_ms / 1000
    return msgspec.json.encode({table_column: entry.place, **event}) + b"\n"


def _time_of(engine: Reactor, event: dict[str, object], table: str) -> int:
    try:
        return engine.event_time(event, table)
    except EventError:
        return 0


def _rows(body: bytes | None) -> Iterator[bytes]:
    for row in [] if body is None else msgspec.json.decode(zlib.decompress(body))["rows"]:
        yield msgspec.json.encode(row) + b"\n"
