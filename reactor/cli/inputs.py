"""Event files on the command line, `FILE` or `TABLE=FILE`, and what is asked of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from reactor.cli.console import CommandError
from reactor.cli.loading import require_file
from reactor.errors import did_you_mean
from reactor.frames import endings
from reactor.spec import Config

HELP = f"event files: {endings()}; TABLE= names the table of a file's events"


class Input(NamedTuple):
    """A file and the table its events belong to; None where nothing was said."""

    file: str
    table: str | None


def add_table(parser: argparse._ActionsContainer) -> None:
    """Declare the `--table` option."""
    parser.add_argument("--table", metavar="T", help="the events' table; needed if the config names several")


def parse_input(text: str) -> Input:
    """Split an argument into file and table; a file of that very name wins.

    >>> parse_input("web.orders=orders.csv"), parse_input("orders.csv")
    (Input(file='orders.csv', table='web.orders'), Input(file='orders.csv', table=None))
    """
    table, separator, file = text.partition("=")
    # A path may hold "=", a table's name before the first folder can't be meant by it.
    if not separator or not table or "/" in table or Path(text).exists():
        return Input(text, None)
    return Input(file, table)


def asked_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what a command asks of a replay, wherever that runs: as `reactor.simulate` takes it."""
    asked = {
        name: getattr(arguments, name)
        for name in ("table_column", "time", "audience", "since", "until", "strict", "engine")
    }
    return {"table": None if arguments.table_column else arguments.table, **asked}


def parse_inputs(
    texts: Sequence[str],
    config: Config,
    table: str | None = None,
    *,
    any_table: bool = False,
    files: bool = True,
) -> list[Input]:
    """Return the inputs, each with its table, else `table`, else the config's only one.

    any_table: whether a column of the events names it. files: whether all are files of this machine.
    Raises CommandError for files that can't be read and for tables that are missing.
    """
    only = next(iter(config.tables)) if len(config.tables) == 1 and not any_table else None
    inputs = [Input(file, own or table or only) for file, own in map(parse_input, texts)]
    for file, own in inputs:
        if files:
            require_file(file)
        if own is None and not any_table:
            names = ", ".join(config.tables)
            raise CommandError(f"{file}: which table are its events of? write TABLE={file}; tables: {names}")
    return inputs


def unknown_table(table: str, config: Config) -> str | None:
    """Return a remark if the config does not name the table."""
    if table in config.tables:
        return None
    hint = did_you_mean(table, config.tables)
    return f'the config has no table "{table}"' + (f" ({hint})" if hint else "")
