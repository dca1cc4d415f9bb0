"""`reactor snapshot`: replay a history, and write the state that it leads to."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec

from reactor.cli.console import DONE, FOUND, CommandError, complain, count_of, progress, say, warn
from reactor.cli.inputs import HELP, add_table, parse_inputs, unknown_table
from reactor.cli.loading import add_config, add_state, load, require_file, warn_of
from reactor.cli.simulate import bad_rows
from reactor.frames import need
from reactor.replay import Replay, Results
from reactor.replay.options import BadRowError, options

SUMMARY = "replay a history into a snapshot, for a warm start"
EXAMPLE = "reactor snapshot reactor.yaml orders.csv.gz --batch loyalty.csv --out shop.state"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_config(parser)
    parser.add_argument("files", metavar="[TABLE=]FILE", nargs="+", help=HELP)
    parser.add_argument("--out", metavar="FILE", required=True, help="the snapshot to write or replace")
    tables = parser.add_mutually_exclusive_group()
    add_table(tables)
    tables.add_argument("--table-column", metavar="C", help="the column that names each event's table")
    parser.add_argument("--batch", metavar="FILE", help="imported rows; a column `time` dates them")
    add_state(parser)
    parser.add_argument("--strict", action="store_true", help="end at the first bad row, with exit code 1")


def run(arguments: argparse.Namespace) -> int:
    """Replay, write the snapshot, and say what is in it."""
    need("polars", "snapshot")
    config = load(arguments.config)
    if not Path(arguments.out).resolve().parent.is_dir():
        raise CommandError(f"{arguments.out}: there is no such folder")
    if arguments.table is not None and (remark := unknown_table(arguments.table, config)):
        warn(remark)
    if arguments.batch is not None:
        require_file(arguments.batch)
    any_table = arguments.table_column is not None
    inputs = parse_inputs(arguments.files, config, arguments.table, any_table=any_table)
    try:
        results = _replay(arguments, config, [(table, name) for name, table in inputs])
    except BadRowError as error:
        problem = str(error)
    else:
        for line in bad_rows(results.summary):
            warn(line)
        size = Path(arguments.out).stat().st_size
        say(f"{arguments.out}: {count_of(size, 'byte')} after {count_of(results.summary['events'], 'event')}")
        return DONE
    complain(f"{problem}; nothing was written")
    return FOUND


def _replay(arguments: argparse.Namespace, config: Any, events: Any) -> Results:
    chosen = options(
        table=None if arguments.table_column else arguments.table,
        table_column=arguments.table_column,
        strict=arguments.strict,
    )
    chosen = msgspec.structs.replace(chosen, state=arguments.state)
    with progress("Reading"):
        replay = Replay(config, events, chosen, batch=arguments.batch)
    with progress("Replaying") as report:
        results = replay.run(snapshot=arguments.out, progress=report)
    warn_of(replay.loaded)
    return results
